#include "exact_floats.h"

#include "region.h"

#include <algorithm>
namespace tally {

// Each in a file of its own.
RegionFactory make_line, make_zone;

namespace {

constexpr size_t kMaxRegions = 256;  // of one rule

// The next rule's first event is TALLY_RECLASSIFIED + 1, and it is not always saved.
// clang-format off
// NOLINTNEXTLINE(bugprone-throwing-static-initialization): a few bytes, as the program starts.
const std::vector<RegionRule> kRules = {
    // name, factory, class totals, values, first event, events,
    // decisive totals, points, saves_values, always_saved
    {"line", make_line, {"in", "out"}, {"nearest"},
     TALLY_CROSSED_IN, {"crossed_in", "crossed_out"}, 0b11, 2, 2, true, true},
    {"zone", make_zone, {"now", "entered", "left"}, {"mean_dwell_s", "max_dwell_s"},
     TALLY_ENTERED, {"entered", "left"}, 0b10, 3, 1000, false, true},
};
// clang-format on

}  // namespace

const std::vector<RegionRule>& region_rules() { return kRules; }

const RegionRule* find_rule(std::string_view name) {
  for (const RegionRule& rule : region_rules())
    if (name == rule.name) return &rule;
  return nullptr;
}

const RegionRule* rule_of_event(int32_t event_kind) {
  for (const RegionRule& rule : region_rules())
    if (event_kind >= rule.first_event && event_kind < rule.past_events()) return &rule;
  return nullptr;
}

const char* event_name(int32_t event_kind) {
  if (event_kind == TALLY_CONFIRMED) return "confirmed";
  if (event_kind == TALLY_RECLASSIFIED) return "reclassified";
  const RegionRule* rule = rule_of_event(event_kind);
  return rule == nullptr ? nullptr : rule->events[event_kind - rule->first_event];
}

Region::Region(const RegionRule& rule, int32_t num_classes)
    : rule_(&rule),
      num_classes_(num_classes),
      counted_(rule.events.size(), std::vector<int64_t>(num_classes)) {}

void Region::add(int32_t event_kind, int32_t class_id, int64_t amount) {
  counted_[event_kind - rule_->first_event][class_id] += amount;
}

void Region::reset() {
  for (auto& totals : counted_) std::fill(totals.begin(), totals.end(), 0);
}

std::vector<int64_t> Region::total(int index, const std::vector<tally_visit>&) const {
  return counted_[index];
}

void Region::persist_totals(Archive& archive) {
  for (auto& totals : counted_) archive(totals);
}

void Region::check_totals() const {
  for (const auto& totals : counted_) check_class_totals(totals, num_classes_);
}

Regions::Regions(const Regions& other) {
  regions_.reserve(other.size());
  for (const auto& region : other.regions_) regions_.push_back(region->clone());
}

int Regions::add(const RegionRule& rule, std::unique_ptr<Region> region) {
  const size_t index = count(rule);
  require(index < kMaxRegions, "at most 256 regions of a kind");
  regions_.insert(regions_.begin() + static_cast<std::ptrdiff_t>(first(rule) + index),
                  std::move(region));
  return static_cast<int>(index);
}

size_t Regions::first(const RegionRule& rule) const {
  // Rules lie in one table: a rule earlier in it has the lower address.
  const auto before = [&](const auto& region) { return &region->rule() < &rule; };
  return std::count_if(regions_.begin(), regions_.end(), before);
}

size_t Regions::count(const RegionRule& rule) const {
  const auto same = [&](const auto& region) { return &region->rule() == &rule; };
  return std::count_if(regions_.begin(), regions_.end(), same);
}

int Regions::index_at(size_t position) const {
  return static_cast<int>(position - first(regions_[position]->rule()));
}

}  // namespace tally
