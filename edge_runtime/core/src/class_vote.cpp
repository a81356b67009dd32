#include <algorithm>

#include "track.h"

namespace tally {
namespace {

constexpr float kClearLead = 1.2f;  // a rival needs this many times the leader's weight

}  // namespace

void ClassVote::add(int32_t class_id, float weight) {
  auto entry = std::find_if(weights_.begin(), weights_.end(),
                            [&](const auto& pair) { return pair.first == class_id; });
  if (entry == weights_.end()) entry = weights_.insert(entry, {class_id, 0.0f});
  entry->second += weight;
  if (leader_ < 0 || entry->second > kClearLead * weight_of(leader_)) leader_ = class_id;
}

float ClassVote::weight_of(int32_t class_id) const {
  for (const auto& [id, weight] : weights_)
    if (id == class_id) return weight;
  return 0;
}

bool ClassVote::only_of(int32_t num_classes) const {
  const auto known = [&](int32_t id) { return id >= 0 && id < num_classes; };
  return known(leader_) && std::all_of(weights_.begin(), weights_.end(),
                                       [&](const auto& pair) { return known(pair.first); });
}

}  // namespace tally
