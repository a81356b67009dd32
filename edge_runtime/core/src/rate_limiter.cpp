#include "exact_floats.h"

#include "rate_limiter.h"

#include <algorithm>

namespace tally {
namespace {

constexpr double kSmoothing = 0.1;

}  // namespace

void RateLimiter::measure(int64_t timestamp_ns) {
  if (has_previous_) {
    const double step_s = seconds_between(previous_ns_, timestamp_ns);
    // A gap says nothing about the rate.
    const double usual_s = frame_s_ != 0 ? std::min(step_s, 2 * frame_s_) : step_s;
    frame_s_ += (usual_s - frame_s_) * (frame_s_ != 0 ? kSmoothing : 1.0);
  }
  previous_ns_ = timestamp_ns;
  has_previous_ = true;
}

bool RateLimiter::is_due(int64_t timestamp_ns) {
  measure(timestamp_ns);
  const auto now_ns = static_cast<double>(timestamp_ns);
  if (has_due_ && now_ns + frame_s_ * 0.5e9 < due_ns_) return false;
  const bool late = !has_due_ || now_ns > due_ns_ + interval_s * 1e9;
  due_ns_ = (late ? now_ns : due_ns_) + interval_s * 1e9;
  has_due_ = true;
  return true;
}

}  // namespace tally
