// Lines and zones, and what each object is doing to them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "geometry.h"
#include "times.h"

namespace tally {

/// One step of an object's anchor point between two frames in which it was seen.
struct Step {
  Point from;
  Point to;
  int64_t from_ns;
  int64_t to_ns;
  float margin;  // pixels behind a line from which the object has surely changed sides
};

struct Crossing {
  bool in;
  Point at;
  int64_t timestamp_ns;

  template <typename Archive>
  void persist(Archive& archive) {
    archive(in, at, timestamp_ns);
  }
};

/// A directed line from a to b. The right-hand side of a walker from a to b is `in`:
///
///        out            a ──────▶ b   (y down)
///                            in
class Line {
 public:
  Line(Point a, Point b, bool extend);

  /// One object's relation to the line.
  struct State {
    int8_t side = 0;  // -1 left, 1 right, 0 not yet seen
    bool through = false;  // the last step over the endless line went through the segment
    Crossing last{};

    template <typename Archive>
    void persist(Archive& archive) {
      archive(side, through, last);
    }
  };

  /// Begin at the first point seen: the side is known at once, however near.
  void begin(State& state, Point p) const;
  /// A crossing is reported once the object is `margin` behind the line, with place and time of
  /// the step that went through it. Jitter about the line therefore counts nothing.
  std::optional<Crossing> advance(State& state, const Step& step) const;
  float distance(Point p) const;

  template <typename Archive>
  void persist(Archive& archive) {
    archive(a_, b_, extend_);
  }

 private:
  float signed_distance(Point p) const { return cross(along_, p - a_) / length_; }
  bool on_segment(Point p) const;

  Point a_, b_, along_;
  float length_;
  bool extend_;
};

class Zone {
 public:
  explicit Zone(std::vector<Point> corners) : corners_(std::move(corners)) {}

  struct State {
    bool inside = false;
    int64_t other_since_ns = kNever;  // since when the point has been on the other side
    int64_t entered_ns = 0;
    int64_t left_ns = 0;
    bool reported = false;  // inside for the least dwell, and so counted

    template <typename Archive>
    void persist(Archive& archive) {
      archive(inside, other_since_ns, entered_ns, left_ns, reported);
    }
  };

  enum class Change { kNone, kEntered, kLeft };

  Change begin(State& state, Point p, int64_t now_ns) const;
  /// The object has changed sides once it is `margin` behind the outline, or has stayed there for
  /// a moment (small zones have no room for the margin). Who is inside for less than the least
  /// dwell has neither entered nor left.
  Change advance(State& state, const Step& step) const;
  void set_least_dwell(int64_t nanoseconds) { least_dwell_ns_ = nanoseconds; }

  template <typename Archive>
  void persist(Archive& archive) {
    archive(corners_, least_dwell_ns_);
  }

 private:
  Change stay_on(State& state, int64_t now_ns) const;

  std::vector<Point> corners_;
  int64_t least_dwell_ns_ = 0;
};

}  // namespace tally
