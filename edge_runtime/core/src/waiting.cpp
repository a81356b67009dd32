#include "exact_floats.h"

#include "waiting.h"

#include <algorithm>
#include <cmath>

#include "handle.h"
#include "options.h"

namespace tally {

tally_waiting_options waiting_defaults() {
  // The device alone would need at most 1.2 times less; the rest is for encoding and sending.
  return {sizeof(tally_waiting_options), 1, 0.12};
}

Waiting::Waiting(const tally_waiting_options& options) : options_(options) {
  require(options.engines >= 1 && options.engines <= 4096, "engines are not 1 to 4096");
  require(options.share >= 0 && options.share <= 1, "share is not 0 to 1");
}

void Waiting::start(double now_s) {
  require(std::isfinite(now_s), "a time is not finite");
  if (started_) return;
  started_ = true;
  start_s_ = at_s_ = now_s;
}

void Waiting::wait(double now_s, int32_t change) {
  advance(now_s);
  waiting_ += change;
}

void Waiting::compute(double now_s, int32_t change) {
  advance(now_s);
  computing_ += change;
}

void Waiting::saved(double seconds) {
  require(seconds >= 0 && std::isfinite(seconds), "seconds are not 0 or more");
  saved_s_ += seconds;
}

double Waiting::left_s(double now_s) {
  advance(now_s);
  if (!started_) return 0;
  const double lost_s = lost_s_ - saved_s_;
  return std::max(0.0, options_.share * (now_s - start_s_ - lost_s) - lost_s);
}

void Waiting::advance(double now_s) {
  require(std::isfinite(now_s), "a time is not finite");
  if (!started_ || now_s <= at_s_) return;
  const auto idle = static_cast<double>(std::max<int64_t>(0, options_.engines - computing_));
  if (waiting_ != 0) lost_s_ += (now_s - at_s_) * (idle / options_.engines);
  at_s_ = now_s;
}

}  // namespace tally
