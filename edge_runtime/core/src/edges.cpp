#include "edges.h"

#include <limits>

namespace tally {
namespace {

constexpr float kEdge = 0.01f;         // of the frame's side
constexpr float kLeastSpeed = 0.2f;    // sizes a second
constexpr float kFarthest = 2.0f;      // sizes: no object is followed longer than that
constexpr float kNotSoon = std::numeric_limits<float>::infinity();

/// Seconds until the span from `low` to `high` has left 0..side.
float seconds_out(float low, float high, float velocity, float side, float seconds) {
  if (velocity < 0 && low + velocity * seconds <= kEdge * side) return high / -velocity;
  if (velocity > 0 && high + velocity * seconds >= (1 - kEdge) * side)
    return (side - low) / velocity;
  return kNotSoon;
}

}  // namespace

std::optional<Point> way_out(const Box& box, Point velocity, float seconds, Frame frame) {
  const float speed = length(velocity), size = box.size();
  if (!(speed > kLeastSpeed * size)) return std::nullopt;
  const float time = std::min(seconds_out(box.x1, box.x2, velocity.x, frame.width, seconds),
                              seconds_out(box.y1, box.y2, velocity.y, frame.height, seconds));
  if (time == kNotSoon) return std::nullopt;
  const float way = std::clamp(time * speed, 0.0f, kFarthest * size);
  return Point{velocity.x / speed * way, velocity.y / speed * way};
}

}  // namespace tally
