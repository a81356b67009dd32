#include "exact_floats.h"

#include "suppress.h"

#include <algorithm>
#include <cstring>

namespace tally {
namespace {

/// Bits that ascend as confidences descend.
uint32_t descending(float confidence) {
  const float value = confidence + 0.0f;  // one zero
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return (bits & 0x80000000u) != 0 ? bits : ~(bits | 0x80000000u);
}

}  // namespace

const std::vector<Candidate>& Suppressor::run(const std::vector<Candidate>& candidates,
                                              const SuppressLimits& limits) {
  // Keys are sorted, not candidates: the position in the lower half keeps ties in their order.
  order_.clear();
  for (size_t i = 0; i < candidates.size(); ++i)
    order_.push_back(uint64_t{descending(candidates[i].confidence)} << 32 | i);
  std::sort(order_.begin(), order_.end());
  if (order_.size() > limits.candidates) order_.resize(limits.candidates);
  kept_.clear();
  for (const uint64_t key : order_) {
    const Candidate& candidate = candidates[key & 0xFFFFFFFFu];
    const bool repeated = std::any_of(kept_.begin(), kept_.end(), [&](const Candidate& better) {
      const float limit =
          better.class_id == candidate.class_id ? limits.iou : limits.cross_class_iou;
      return limit < 1 && iou(better.box, candidate.box) > limit;
    });
    if (!repeated) kept_.push_back(candidate);
    if (kept_.size() == limits.detections) break;
  }
  return kept_;
}

}  // namespace tally
