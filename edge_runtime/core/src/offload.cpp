#include "exact_floats.h"

#include "offload.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "handle.h"
#include "options.h"

namespace tally {
namespace {

constexpr double kStep = 0.05;  // of the threshold on the reward
constexpr double kMemoryFactor = 3;
constexpr double kSoonerFactor = 1.2;

// Edges of the bands of scores (the counter ignores detections below 0.1), and the weights that
// benchmarks/reward.py fits. After Qiu et al., SEC 2024 (arXiv 2410.18919): the detections that the
// small model is unsure of are the ones that the big one decides.
constexpr double kEdges[kRewardFeatures] = {0.1, 0.25, 0.4, 0.6, 1.01};
constexpr double kWeights[kRewardFeatures] = {0.4211, 0.1329, 0.0234, -0.1327, -0.2131};

/// Why the cloud cannot be asked now.
int32_t unavailable(const tally_offload_facts& facts) {
  if (facts.connected == 0) return TALLY_REASON_NO_CONNECTION;
  if (facts.silent_s > std::min(facts.deadline_s, facts.silence_limit_s))
    return TALLY_REASON_SILENT;
  if (facts.credits_left <= 0) return TALLY_REASON_NO_CREDIT;
  if (facts.allowed == 0) return TALLY_REASON_NO_QUOTA;
  return facts.measuring != 0 ? TALLY_REASON_MEASURING : TALLY_REASON_NONE;
}

void check(const tally_offload_facts& facts) {
  for (const double value : {facts.reward, facts.link_debt_s, facts.silent_s, facts.silence_limit_s,
                             facts.expected_s, facts.deadline_s, facts.local_s, facts.waiting_s})
    require(!std::isnan(value), "a fact is NaN");
  require(tally_reason_name(facts.static_reason) != nullptr, "static_reason is not a tally_reason");
}

}  // namespace

void reward_features(const tally_detection* detections, int32_t count, double* features) {
  features[0] = 1;
  for (int band = 0; band + 1 < kRewardFeatures; ++band) {
    const double low = kEdges[band], high = kEdges[band + 1];
    const auto number = std::count_if(detections, detections + count, [&](const auto& one) {
      const double score = one.confidence;
      return score >= low && score < high;
    });
    features[band + 1] = std::sqrt(static_cast<double>(number));
  }
}

double reward_of(const double* features) {
  double sum = 0;
  for (int i = 0; i < kRewardFeatures; ++i) sum += features[i] * kWeights[i];
  return std::clamp(sum, 0.0, 1.0);
}

int32_t static_reason(const tally_offload_static_facts& facts) {
  require(facts.model_bytes >= 0, "model_bytes is below 0");
  require(!std::isnan(facts.local_s) && !std::isnan(facts.cloud_s), "a fact is NaN");
  const double needed = kMemoryFactor * static_cast<double>(facts.model_bytes);
  if (facts.memory_bytes >= 0 && needed > static_cast<double>(facts.memory_bytes))
    return TALLY_REASON_TOO_BIG;
  const bool sooner = facts.cloud_s > 0 && facts.cloud_s * kSoonerFactor < facts.local_s;
  return facts.live == 0 && sooner ? TALLY_REASON_FILE_SOONER : TALLY_REASON_NONE;
}

tally_offload_options offload_defaults() {
  // The noise of a good sensor is 2 gray levels.
  return {sizeof(tally_offload_options), TALLY_OFFLOAD_AUTO, 0.8, 2.0};
}

tally_offload_facts no_facts() {
  tally_offload_facts facts{};
  facts.silence_limit_s = facts.waiting_s = std::numeric_limits<double>::infinity();
  return facts;
}

Offload::Offload(const tally_offload_options& options) : options_(options) {
  require(options.mode >= TALLY_OFFLOAD_NEVER && options.mode <= TALLY_OFFLOAD_ALWAYS,
          "mode is not a tally_offload_mode");
  require(options.share >= 0 && options.share <= 1, "share is not 0 to 1");
  require(options.unchanged >= 0, "unchanged is below 0");
}

tally_decision Offload::skip(double difference) const {
  if (options_.mode == TALLY_OFFLOAD_AUTO && difference <= options_.unchanged)
    return {TALLY_SKIP, TALLY_REASON_UNCHANGED};
  return {TALLY_LOCAL, TALLY_REASON_NONE};
}

tally_decision Offload::decide(const tally_offload_facts& facts) {
  check(facts);
  const bool always = options_.mode == TALLY_OFFLOAD_ALWAYS;
  const bool late = facts.expected_s > facts.deadline_s - facts.local_s;
  if (options_.mode == TALLY_OFFLOAD_NEVER) return {TALLY_LOCAL, TALLY_REASON_NEVER};
  if (const int32_t problem = unavailable(facts); problem != TALLY_REASON_NONE)
    return {TALLY_LOCAL, problem};
  if (always && late && facts.smallest != 0) return {TALLY_LOCAL, TALLY_REASON_TOO_LATE};
  if (always) return {TALLY_CLOUD, TALLY_REASON_ALWAYS};
  if (facts.expected_s > facts.waiting_s) return {TALLY_LOCAL, TALLY_REASON_FILE_LATER};
  if (facts.static_reason != TALLY_REASON_NONE) return {TALLY_CLOUD, facts.static_reason};
  if (late) return {TALLY_LOCAL, TALLY_REASON_TOO_LATE};
  if (facts.link_debt_s > 0) return {TALLY_LOCAL, TALLY_REASON_LINK_SHARE};
  return by_reward(facts.reward);
}

/// Send the frames of the highest rewards, `share` of all: a moving quantile.
tally_decision Offload::by_reward(double reward) {
  const bool worth = reward > threshold_;
  threshold_ += kStep * (worth ? 1 - options_.share : -options_.share);
  if (worth) return {TALLY_CLOUD, TALLY_REASON_WORTH_IT};
  return {TALLY_LOCAL, TALLY_REASON_NOT_WORTH_IT};
}

void Offload::computed(double seconds) {
  require(seconds >= 0 && std::isfinite(seconds), "seconds are not 0 or more");
  local_.add(seconds);
}

}  // namespace tally
