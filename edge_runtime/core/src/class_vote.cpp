#include "exact_floats.h"

#include <algorithm>

#include "track.h"

namespace tally {
namespace {

constexpr float kClearLead = 1.2f;  // a rival needs this many times the leader's weight
// A wanted class needs this share of the leader's weight to be chosen, and this share to be kept.
constexpr float kWantedShare = 0.3f;
constexpr float kKeptShare = 0.15f;

}  // namespace

void ClassVote::add(int32_t class_id, float weight) {
  auto entry = std::find_if(weights_.begin(), weights_.end(),
                            [&](const auto& pair) { return pair.first == class_id; });
  if (entry == weights_.end()) entry = weights_.insert(entry, {class_id, 0.0f});
  entry->second += weight;
  if (leader_ < 0 || entry->second > kClearLead * weight_of(leader_)) leader_ = class_id;
}

int32_t ClassVote::leader(const std::vector<bool>& wanted, int32_t current) const {
  if (wanted.empty() || wanted[leader_]) return leader_;
  const std::pair<int32_t, float>* best = nullptr;
  for (const auto& vote : weights_)
    if (wanted[vote.first] && (best == nullptr || vote.second > best->second)) best = &vote;
  const bool kept = current >= 0 && wanted[current];
  const float needed = (kept ? kKeptShare : kWantedShare) * weight_of(leader_);
  return best != nullptr && best->second > needed ? best->first : leader_;
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
