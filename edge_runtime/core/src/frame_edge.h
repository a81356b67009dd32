// The edge of the frame: which sides a box touches, and the path on which an object leaves.
#pragma once

#include <optional>

#include "geometry.h"

namespace tally {

struct FrameSize {
  float width;
  float height;
};

// Two distances from the edge, as a share of the frame's side, because they answer two questions.
// One value for both does not serve (180 runs: recorded streams at full, half and third rate, MOT
// sequences, generated scenes; benchmarks/streams.py, benchmarks/crossings.py):
//   0.01 for both  changes tracks or events of 18 runs; truckroad-int8 counts 46 out instead of 45
//                  (truth: 0 to 2), since objects that stop short of the edge stay alive for lost_s
//   0.02 for both  changes tracks or events of 10 runs; truckroad-float at half rate counts 64 out
//                  instead of 63, since objects that were not cut yet are said to have left
// MOT counts and the 300 generated scenes are right with any of the three.

/// A box this near to a side touches it: detectors draw cut objects a little short of the edge.
/// Wide, because a track that is taken for leaving is only kept for a shorter time.
inline constexpr float kTouchDistance = 0.02f;
/// A motion that gets this near to a side continues beyond it: narrow, because a crossing beyond
/// the edge that nobody has seen is counted from it.
inline constexpr float kExitDistance = 0.01f;

/// The sides of the frame that a box touches.
struct Sides {
  bool left, top, right, bottom;
  bool any() const { return left || top || right || bottom; }
};

Sides sides_touched(const Box& box, FrameSize frame);

/// Whether an object expected at `expected`, last seen at `seen`, is leaving or has left the frame.
bool is_leaving(const Box& expected, const Box& seen, Point velocity, FrameSize frame);

/// How far `box`, last seen here and moving at `velocity` (pixels per second), moves until nothing
/// of it is left in the frame; nothing if it does not reach a side within `seconds`. With the
/// velocity reversed it is the path on which an object came in.
std::optional<Point> exit_path(const Box& box, Point velocity, float seconds, FrameSize frame);

}  // namespace tally
