// Points, boxes and the few tests between them.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "tally.h"

namespace tally {

struct Point {
  float x = 0;
  float y = 0;
};

inline Point operator-(Point a, Point b) { return {a.x - b.x, a.y - b.y}; }
inline Point operator+(Point a, Point b) { return {a.x + b.x, a.y + b.y}; }
inline Point operator*(Point a, float k) { return {a.x * k, a.y * k}; }
inline float cross(Point a, Point b) { return a.x * b.y - a.y * b.x; }
inline float dot(Point a, Point b) { return a.x * b.x + a.y * b.y; }
inline float length(Point a) { return std::sqrt(dot(a, a)); }

struct Box {
  float x1 = 0;
  float y1 = 0;
  float x2 = 0;
  float y2 = 0;

  float width() const { return x2 - x1; }
  float height() const { return y2 - y1; }
  float area() const { return std::max(width(), 0.0f) * std::max(height(), 0.0f); }
  Point center() const { return {(x1 + x2) / 2, (y1 + y2) / 2}; }
  /// Side of the square of the same area: the object's "size" in every rule.
  float size() const { return std::sqrt(area()); }
};

template <typename Archive>
void persist(Archive& archive, Point& p) {
  archive(p.x, p.y);
}
template <typename Archive>
void persist(Archive& archive, Box& box) {
  archive(box.x1, box.y1, box.x2, box.y2);
}

inline float intersection(const Box& a, const Box& b) {
  const float width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  const float height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  return width > 0 && height > 0 ? width * height : 0;
}

inline float iou(const Box& a, const Box& b) {
  const float common = intersection(a, b);
  const float all = a.area() + b.area() - common;
  return all > 0 ? common / all : 0;
}

inline Point anchor_point(const Box& box, int anchor) {
  const float x = (box.x1 + box.x2) / 2;
  if (anchor == TALLY_CENTER) return {x, (box.y1 + box.y2) / 2};
  return {x, anchor == TALLY_TOP_CENTER ? box.y1 : box.y2};
}

/// Distance from `p` to the segment a-b.
inline float distance_to_segment(Point p, Point a, Point b) {
  const Point along = b - a;
  const float squared = dot(along, along);
  const float t = squared > 0 ? std::clamp(dot(p - a, along) / squared, 0.0f, 1.0f) : 0;
  return length({p.x - a.x - t * along.x, p.y - a.y - t * along.y});
}

/// Inside by the even-odd rule; `corners` may be concave.
inline bool contains(const std::vector<Point>& corners, Point p) {
  bool inside = false;
  for (size_t i = 0, j = corners.size() - 1; i < corners.size(); j = i++) {
    const Point a = corners[i], b = corners[j];
    if ((a.y > p.y) != (b.y > p.y) && p.x < (b.x - a.x) * (p.y - a.y) / (b.y - a.y) + a.x)
      inside = !inside;
  }
  return inside;
}

inline float distance_to_outline(const std::vector<Point>& corners, Point p) {
  float nearest = distance_to_segment(p, corners.back(), corners.front());
  for (size_t i = 1; i < corners.size(); ++i)
    nearest = std::min(nearest, distance_to_segment(p, corners[i - 1], corners[i]));
  return nearest;
}

}  // namespace tally
