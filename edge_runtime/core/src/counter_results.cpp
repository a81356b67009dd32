// The regions of a counter, and what can be read from it.
#include "exact_floats.h"

#include <cmath>

#include "counter.h"
#include "handle.h"
#include "options.h"

namespace tally {
namespace {

const RegionRule& rule_of(std::string_view kind) {
  if (const RegionRule* rule = find_rule(kind)) return *rule;
  std::string message = "unknown region kind '" + std::string(kind) + "'; use one of";
  for (const RegionRule& rule : region_rules()) message += std::string(" ") + rule.name;
  throw StatusError(TALLY_INVALID_ARGUMENT, message);
}

}  // namespace

int Counter::add_region(std::string_view kind, const Points& points,
                        const tally_region_options& options) {
  const RegionRule& rule = rule_of(kind);
  require(!started_, "regions are added before the first frame");
  if (points.size() < rule.min_points || points.size() > rule.max_points) {
    std::string wanted = std::to_string(rule.min_points);
    if (rule.max_points > rule.min_points) wanted += " to " + std::to_string(rule.max_points);
    throw StatusError(TALLY_INVALID_ARGUMENT,
                      "a " + std::string(rule.name) + " has " + wanted + " points");
  }
  check(options);
  return regions_.add(rule, rule.make(rule, options_.num_classes, points, options));
}

size_t Counter::position(std::string_view kind, int index) const {
  const RegionRule& rule = rule_of(kind);
  if (index < 0 || static_cast<size_t>(index) >= regions_.count(rule))
    throw StatusError(TALLY_INVALID_ARGUMENT, "no " + std::string(kind) + " of that index");
  return regions_.position(rule, index);
}

Region& Counter::region_of_event(int32_t kind, int32_t index) {
  return regions_[regions_.position(*rule_of_event(kind), index)];
}

std::vector<tally_track> Counter::visible_tracks() const {
  std::vector<tally_track> visible;
  for (const Track& track : tracker_.tracks()) {
    if (!track.confirmed || track.seen_ns != now_ns_) continue;
    const Box box = track.motion.box();
    visible.push_back(
        {track.id, box.x1, box.y1, box.x2, box.y2, track.confidence, object_of(track).class_id});
  }
  return visible;
}

std::vector<tally_visit> Counter::visits(size_t position) const {
  std::vector<tally_visit> visits;
  for (const Track& track : tracker_.tracks()) {
    const ObjectState& object = object_of(track);
    const int64_t since = regions_[position].inside_since(object.regions[position]);
    if (object.counted && since != kNever)
      visits.push_back({track.id, object.class_id, seconds(object.seen_ns - since)});
  }
  return visits;
}

std::vector<int64_t> Counter::region_total(std::string_view kind, int index, int total) const {
  const size_t at = position(kind, index);
  require(total >= 0 && static_cast<size_t>(total) < regions_[at].rule().totals.size(),
          "no class total of that index");
  return regions_[at].total(total, visits(at));
}

double Counter::region_value(std::string_view kind, int index, int value) const {
  const size_t at = position(kind, index);
  require(value >= 0 && static_cast<size_t>(value) < regions_[at].rule().values.size(),
          "no value of that index");
  return regions_[at].value(value, visits(at));
}

std::vector<tally_visit> Counter::region_visits(std::string_view kind, int index) const {
  return visits(position(kind, index));
}

tally_diagnostics Counter::diagnostics() const {
  tally_diagnostics diagnostics = diagnostics_;
  diagnostics.live_tracks = static_cast<int64_t>(objects_.size());
  const Unlinked& unlinked = tracker_.unlinked();
  diagnostics.unlinked = unlinked.count;
  if (unlinked.count > 0)
    diagnostics.needed_fps =
        static_cast<float>(std::ceil(unlinked.sizes_per_s / static_cast<double>(unlinked.count)));
  diagnostics.last_timestamp_ns = started_ ? now_ns_ : kNever;
  return diagnostics;
}

}  // namespace tally
