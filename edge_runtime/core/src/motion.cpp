#include "exact_floats.h"

#include "motion.h"

#include <cmath>

namespace tally {
namespace {

// Detector boxes of a small int8 model jitter by about 5% of their size from frame to frame.
constexpr float kMeasurement = 0.05f;
// Nothing is known of a new object's speed; people walk about 1 size/s, near cars pass 10.
constexpr float kStartVelocity = 6.0f;
constexpr float kAcceleration = 3.0f;
constexpr float kSideMeasurement = 0.1f;  // of the size
constexpr float kSideDrift = 0.5f;        // sizes in a second
// How far three detections in a row may be from even motion, in sizes.
constexpr float kUneven = 0.5f;
constexpr float kMinSide = 1.0f;
// Two opposite edges that move this much apart (in sizes): one of them was cut or uncovered.
constexpr float kShapeChange = 0.2f;

/// How far an object has moved along one axis whose two edges have moved `low` and `high`. An edge
/// at which the frame cuts it says nothing. Where the two differ too much for motion, the edge that
/// has moved less decides.
float moved(float low, float high, bool low_cut, bool high_cut, float most) {
  if (low_cut != high_cut) return low_cut ? high : low;
  if (std::abs(low - high) <= most) return (low + high) / 2;
  return std::abs(low) < std::abs(high) ? low : high;
}

}  // namespace

void Motion::start(const Box& box) {
  size_ = std::max(box.size(), kMinSide);
  const Point center = box.center();
  x_.start(center.x, kMeasurement * size_, kStartVelocity * size_);
  y_.start(center.y, kMeasurement * size_, kStartVelocity * size_);
  width_.start(box.width(), kSideMeasurement * size_);
  height_.start(box.height(), kSideMeasurement * size_);
}

void Motion::start_moving(const Box& box, Point velocity, float seconds) {
  start(box);
  const float noise = kMeasurement * size_, uneven = kUneven * size_ / seconds;
  x_.start(box.center().x, noise, uneven, velocity.x);
  y_.start(box.center().y, noise, uneven, velocity.y);
}

void Motion::predict(float dt) {
  x_.predict(dt, kAcceleration * size_);
  y_.predict(dt, kAcceleration * size_);
  width_.predict(dt, kSideDrift * size_);
  height_.predict(dt, kSideDrift * size_);
}

void Motion::correct(const Box& box, Sides cut) {
  const float noise = kMeasurement * size_;
  const Point center = box.center();
  const Box expected = this->box();
  const float most = kShapeChange * size_;
  x_.update(center.x, moved(box.x1 - expected.x1, box.x2 - expected.x2, cut.left, cut.right, most),
            noise);
  y_.update(center.y, moved(box.y1 - expected.y1, box.y2 - expected.y2, cut.top, cut.bottom, most),
            noise);
  width_.update(box.width(), kSideMeasurement * size_);
  height_.update(box.height(), kSideMeasurement * size_);
  size_ = std::max(this->box().size(), kMinSide);
}

Box Motion::box() const {
  const float w = std::max(width_.value, kMinSide), h = std::max(height_.value, kMinSide);
  return {x_.position - w / 2, y_.position - h / 2, x_.position + w / 2, y_.position + h / 2};
}

}  // namespace tally
