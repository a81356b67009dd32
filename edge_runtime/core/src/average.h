// An exponentially weighted mean and mean deviation.
#pragma once

#include <cmath>
#include <cstdint>

#include "tally.h"

namespace tally {

/// Both start with the first sample.
class Average {
 public:
  void add(double value) {
    if (samples_ == 0) mean_ = value;
    const double error = value - mean_;
    mean_ += kSmoothing * error;
    deviation_ += kSmoothing * (std::abs(error) - deviation_);
    samples_ += 1;
  }
  bool empty() const { return samples_ == 0; }
  double mean() const { return mean_; }
  /// Mean plus two mean deviations is near the 95th percentile of what queues do.
  double p95() const { return mean_ + kDeviations * deviation_; }
  tally_average values() const { return {mean(), p95(), samples_}; }

 private:
  static constexpr double kSmoothing = 0.2;
  static constexpr double kDeviations = 2;

  double mean_ = 0;
  double deviation_ = 0;
  int64_t samples_ = 0;
};

}  // namespace tally
