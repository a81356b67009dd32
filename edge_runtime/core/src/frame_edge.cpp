#include "exact_floats.h"

#include "frame_edge.h"

#include <limits>

namespace tally {
namespace {

constexpr float kMinSpeed = 0.2f;     // sizes per second: slower objects do not leave
constexpr float kMaxDistance = 2.0f;  // sizes: no object is extrapolated further than that
constexpr float kNotSoon = std::numeric_limits<float>::infinity();

/// Seconds until the span from `low` to `high` has left 0..side.
float seconds_out(float low, float high, float velocity, float side, float seconds) {
  if (velocity < 0 && low + velocity * seconds <= kExitDistance * side) return high / -velocity;
  if (velocity > 0 && high + velocity * seconds >= (1 - kExitDistance) * side)
    return (side - low) / velocity;
  return kNotSoon;
}

}  // namespace

Sides sides_touched(const Box& box, FrameSize frame) {
  Sides sides;
  sides.left = box.x1 < kTouchDistance * frame.width;
  sides.top = box.y1 < kTouchDistance * frame.height;
  sides.right = box.x2 > (1 - kTouchDistance) * frame.width;
  sides.bottom = box.y2 > (1 - kTouchDistance) * frame.height;
  return sides;
}

bool is_leaving(const Box& expected, const Box& seen, Point velocity, FrameSize frame) {
  if (expected.x2 < 0 || expected.y2 < 0 || expected.x1 > frame.width || expected.y1 > frame.height)
    return true;
  const Sides at = sides_touched(seen, frame);
  return (at.left && velocity.x < 0) || (at.right && velocity.x > 0) ||
         (at.top && velocity.y < 0) || (at.bottom && velocity.y > 0);
}

std::optional<Point> exit_path(const Box& box, Point velocity, float seconds, FrameSize frame) {
  const float speed = length(velocity), size = box.size();
  if (!(speed > kMinSpeed * size)) return std::nullopt;
  const float time = std::min(seconds_out(box.x1, box.x2, velocity.x, frame.width, seconds),
                              seconds_out(box.y1, box.y2, velocity.y, frame.height, seconds));
  if (time == kNotSoon) return std::nullopt;
  const float distance = std::clamp(time * speed, 0.0f, kMaxDistance * size);
  return Point{velocity.x / speed * distance, velocity.y / speed * distance};
}

}  // namespace tally
