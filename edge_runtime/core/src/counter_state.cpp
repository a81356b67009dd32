// Saving a counter, and refusing to restore what no counter can have saved.
#include "exact_floats.h"

#include <algorithm>
#include <utility>

#include "counter.h"

namespace tally {
namespace {

// Where a list of regions would have the number of its rule, which is never negative.
constexpr int32_t kFilterFollows = -1;
constexpr int64_t kMaxEntry = int64_t{1} << 31;

}  // namespace

/// What must be the same where a state is restored.
Bytes Counter::configuration(uint32_t version) {
  tally_counter_options& o = options_;
  Writer writer;
  writer(o.num_classes, o.frame_width, o.frame_height, o.any_class, o.anchor, o.low_confidence,
         o.high_confidence, o.new_confidence, o.confirm_s, o.confirm_confidence, o.lost_s,
         o.edge_lost_s, o.hysteresis);
  if (version >= 2) {
    writer(o.remember_s);
    for (bool wanted : wanted_) writer(wanted);
  }
  Archive archive(writer);
  regions_.persist(archive, [&](size_t i) { regions_[i].persist_outline(archive); });
  // States of counters that ignore nothing are those of versions that could not.
  if (!filter_.keeps_all()) {
    int32_t follows = kFilterFollows;
    writer(follows, filter_);
  }
  return writer.take();
}

void Counter::persist(Archive& archive) {
  regions_.persist(archive, [&](size_t i) { regions_[i].persist_totals(archive); });
  for (const RegionRule& rule : region_rules())
    if (rule.saves_values)
      regions_.persist(archive, rule, [&](size_t i) { regions_[i].persist_values(archive); });
  archive(unique_, detected_, events_, started_, now_ns_, tracker_);
  auto& d = diagnostics_;
  archive(d.frames, d.detections, d.below_low_confidence, d.unconfirmed_tracks, d.longest_gap_ns,
          d.fastest, d.longest_unconfirmed_s);
  if (!filter_.keeps_all()) archive(d.ignored);
  if (archive.version() >= 3)
    archive(period_ns_);
  else
    period_ns_ = now_ns_;
}

void Counter::persist(Archive& archive, ObjectState& object) {
  archive(object.anchor, object.seen_ns, object.class_id, object.counted);
  object.regions.resize(regions_.size());
  regions_.persist(archive,
                   [&](size_t i) { regions_[i].persist_state(object.regions[i], archive); });
  archive(object.entries, object.pending);
}

Bytes Counter::save() {
  Bytes configured = configuration(Writer::version());
  Writer writer;
  writer(configured);
  Archive archive(writer);
  persist(archive);
  for (const Track& track : tracker_.tracks()) persist(archive, object_of(track));
  return seal(writer.take());
}

void Counter::restore(const uint8_t* state, size_t size) {
  Reader reader = unseal(state, size);
  Bytes configured;
  reader(configured);
  require_state(configured == configuration(reader.version()),
                "it is of other options, lines or zones");
  Counter restored(*this);
  restored.returns_.clear();
  restored.withheld_.clear();
  Archive archive(reader);
  restored.persist(archive);
  restored.objects_.clear();
  for (const Track& track : restored.tracker_.tracks())
    restored.persist(archive, restored.objects_.emplace_back(track.id, ObjectState()).second);
  require_state(reader.at_end(), "it is longer than its contents");
  restored.check_state();
  *this = std::move(restored);
}

void Counter::check_state() const {
  check_class_totals(unique_, options_.num_classes);
  check_class_totals(detected_, options_.num_classes);
  for (size_t i = 0; i < regions_.size(); ++i) regions_[i].check_totals();
  const auto& d = diagnostics_;
  require_state(is_count(d.frames) && is_count(d.detections) && is_count(d.below_low_confidence) &&
                    is_count(d.unconfirmed_tracks) && is_count(d.ignored) && d.longest_gap_ns >= 0,
                "a total is out of range");
  require_state(is_time(now_ns_) && is_time(period_ns_) && period_ns_ <= now_ns_,
                "a time is out of range");
  for (const tally_event& event : events_) check_event(event);
  tracker_.check_state(now_ns_);
  for (const Track& track : tracker_.tracks()) check_object(track);
}

void Counter::check_object(const Track& track) const {
  const ObjectState& object = object_of(track);
  require_state(track.vote.only_of(options_.num_classes), "a class is out of range");
  require_state(object.counted == track.confirmed && object.seen_ns == track.seen_ns &&
                    object.class_id < options_.num_classes &&
                    object.class_id >= (object.counted ? 0 : -1),
                "an object does not match its track");
  for (size_t i = 0; i < regions_.size(); ++i) regions_[i].check_state(object.regions[i]);
  for (const CountEntry& entry : object.entries) {
    check_region(entry.kind, entry.region);
    require_state(entry.amount >= 0 && entry.amount <= kMaxEntry, "a total is out of range");
  }
  for (const tally_event& event : object.pending) check_event(event);
}

void Counter::check_region(int32_t kind, int32_t index) const {
  require_state(event_name(kind) != nullptr, "an event is of an unknown kind");
  const RegionRule* rule = rule_of_event(kind);
  require_state(rule == nullptr ? index == -1
                                : index >= 0 && static_cast<size_t>(index) < regions_.count(*rule),
                "the region of an event is missing");
}

void Counter::check_event(const tally_event& event) const {
  check_region(event.kind, event.region);
  require_state(is_time(event.timestamp_ns) && event.class_id >= -1 &&
                    event.class_id < options_.num_classes && event.previous_class_id >= -1 &&
                    event.previous_class_id < options_.num_classes,
                "an event is out of range");
}

void Counter::restore_withheld(const std::vector<tally_withheld>& events) {
  for (const tally_withheld& one : events) {
    const tally_event& event = one.event;
    check_event(event);
    const float sum = event.x + event.y + event.confidence + event.age_s + event.dwell_s;
    require_state(is_time(one.seen_ns) && event.track_id >= 0 && event.class_id >= 0 &&
                      event.kind != TALLY_RECLASSIFIED && std::isfinite(sum),
                  "a withheld event is out of range");
  }
  withheld_.restore(events);
}

}  // namespace tally
