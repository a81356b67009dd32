// Where a frame goes: local, cloud or neither. Every fact is an argument.
#pragma once

#include <cstdint>
#include <string>

#include "average.h"
#include "tally.h"

namespace tally {

constexpr int32_t kRewardFeatures = 5;

tally_offload_options offload_defaults();
/// Facts that a caller of an earlier version does not give.
tally_offload_facts no_facts();

/// 1, and the square roots of the numbers of detections in each band of scores.
void reward_features(const tally_detection* detections, int32_t count, double* features);
double reward_of(const double* features);
int32_t static_reason(const tally_offload_static_facts& facts);

/// A frame goes to the cloud when it is worth it, when the answer comes in time, and when credits,
/// quota and link allow it. In every other case the device counts alone.
class Offload {
 public:
  explicit Offload(const tally_offload_options& options);

  tally_decision skip(double difference) const;
  tally_decision decide(const tally_offload_facts& facts);
  void computed(double seconds);
  const Average& local() const { return local_; }

  std::string error;

 private:
  tally_decision by_reward(double reward);

  tally_offload_options options_;
  double threshold_ = 0;  // the reward that is high enough
  Average local_;
};

}  // namespace tally
