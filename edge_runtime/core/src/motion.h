// Where an object is and how fast it goes: a constant-velocity Kalman filter in seconds.
#pragma once

#include "frame_edge.h"
#include "geometry.h"

namespace tally {

/// One coordinate: position and velocity under white-noise acceleration (Bar-Shalom, Li and
/// Kirubarajan, "Estimation with Applications to Tracking and Navigation", 2001, section 6.2).
struct Axis {
  float position = 0;
  float velocity = 0;
  float pp = 0;  // covariance
  float pv = 0;
  float vv = 0;

  void start(float z, float position_std, float velocity_std, float v = 0) {
    position = z;
    velocity = v;
    pp = position_std * position_std;
    pv = 0;
    vv = velocity_std * velocity_std;
  }
  void predict(float dt, float acceleration_std) {
    const float q = acceleration_std * acceleration_std;
    position += velocity * dt;
    pp += dt * (2 * pv + dt * vv) + q * dt * dt * dt / 3;
    pv += dt * vv + q * dt * dt / 2;
    vv += q * dt;
  }
  /// `moved` is the part of the innovation that is motion: the rest is a change of the box's shape,
  /// which shifts its center and says nothing about its velocity.
  void update(float z, float moved, float measurement_std) {
    const float innovation = z - position;
    const float s = pp + measurement_std * measurement_std;
    const float kp = pp / s, kv = pv / s;
    position += kp * innovation;
    velocity += kv * moved;
    vv -= kv * pv;
    pv -= kp * pv;
    pp -= kp * pp;
  }
  template <typename Archive>
  void persist(Archive& archive) {
    archive(position, velocity, pp, pv, vv);
  }
};

/// A quantity with random drift: the sides of a box, which vary as people walk and cars turn. Their
/// rate of change says nothing about what comes next, so none is kept.
struct Level {
  float value = 0;
  float variance = 0;

  void start(float z, float std) {
    value = z;
    variance = std * std;
  }
  void predict(float dt, float drift_std) { variance += drift_std * drift_std * dt; }
  void update(float z, float measurement_std) {
    const float gain = variance / (variance + measurement_std * measurement_std);
    value += gain * (z - value);
    variance -= gain * variance;
  }
  template <typename Archive>
  void persist(Archive& archive) {
    archive(value, variance);
  }
};

/// A box in motion. All noise is in units of the object's own size, so that near and far objects
/// and all resolutions behave alike.
class Motion {
 public:
  void start(const Box& box);
  /// Move the belief `dt` seconds on.
  void predict(float dt);
  /// `cut` are the sides at which the frame cuts the box.
  void correct(const Box& box, Sides cut);
  /// Begin again at `box` with a velocity known from `seconds` of even motion.
  void start_moving(const Box& box, Point velocity, float seconds);

  /// The object stands: it is expected where it is.
  void stop() { x_.velocity = y_.velocity = 0; }

  Box box() const;
  Point velocity() const { return {x_.velocity, y_.velocity}; }
  /// Standard deviation of the center in pixels.
  float uncertainty() const { return std::sqrt(std::max(x_.pp, y_.pp)); }

  template <typename Archive>
  void persist(Archive& archive) {
    archive(x_, y_, width_, height_, size_);
  }

 private:
  Axis x_, y_;
  Level width_, height_;
  float size_ = 1;
};

}  // namespace tally
