#include "exact_floats.h"

#include "counter.h"

#include <algorithm>
#include <cmath>

#include "handle.h"
#include "options.h"

namespace tally {
namespace {

constexpr size_t kMaxDetections = 10'000;
constexpr size_t kMaxEvents = 65'536;
constexpr size_t kMaxPending = 1'000;  // events of an object that is not confirmed yet

/// Boxes farther away than this are not objects, and the squares of their sides overflow.
bool is_near(const tally_detection& d) {
  constexpr float farthest = 1e9f;
  return std::max(std::abs(d.x1), std::abs(d.x2)) < farthest &&
         std::max(std::abs(d.y1), std::abs(d.y2)) < farthest;
}

}  // namespace

Counter::Counter(const tally_counter_options& options)
    : options_(options),
      filter_(options),
      tracker_(options),
      returns_(options.num_classes, options.remember_s),
      withheld_(std::max({options.lost_s, options.edge_lost_s, options.remember_s})) {
  check(options);
  unique_.assign(options.num_classes, 0);
  detected_.assign(options.num_classes, 0);
}

void Counter::want_classes(const std::vector<int32_t>& class_ids) {
  require(!started_, "classes are chosen before the first frame");
  std::vector<bool> wanted(options_.num_classes);
  for (const int32_t id : class_ids) {
    require(id >= 0 && id < options_.num_classes, "class id is out of range");
    wanted[id] = true;
  }
  const bool all = std::find(wanted.begin(), wanted.end(), false) == wanted.end();
  wanted_ = class_ids.empty() || all ? std::vector<bool>() : wanted;
}

int32_t Counter::class_of(const Track& track, int32_t current) const {
  return track.vote.leader(wanted_, current);
}

void Counter::withhold() {
  require(!started_, "events are withheld from the first frame on");
  withholds_ = true;
}

void Counter::ignore(const Points& corners) {
  require(!started_, "ignored areas are added before the first frame");
  filter_.ignore(corners);
}

tally_detection Counter::checked(tally_detection d) const {
  require(std::isfinite(d.x1) && std::isfinite(d.y1) && std::isfinite(d.x2) &&
              std::isfinite(d.y2) && d.x1 <= d.x2 && d.y1 <= d.y2,
          "detection boxes must be finite with x1 <= x2 and y1 <= y2");
  require(is_score(d.confidence), "detection confidence must be 0 to 1");
  if (options_.any_class) d.class_id = 0;
  require(d.class_id >= 0 && d.class_id < options_.num_classes, "class_id is out of range");
  return d;
}

bool Counter::is_seen(const tally_detection& d) const {
  return d.confidence >= options_.low_confidence && is_near(d);
}

bool Counter::is_usable(const tally_detection& detection) const {
  const tally_detection d = checked(detection);
  return is_seen(d) && filter_.keeps(d);
}

std::vector<tally_detection> Counter::usable(const tally_detection* detections, int count,
                                             int64_t& ignored) const {
  std::vector<tally_detection> usable;
  usable.reserve(count);
  for (int i = 0; i < count; ++i) {
    const tally_detection d = checked(detections[i]);
    if (!is_seen(d)) continue;
    if (filter_.keeps(d))
      usable.push_back(d);
    else
      ++ignored;
  }
  return usable;
}

void Counter::update(int64_t now_ns, const tally_detection* detections, int count) {
  require(count >= 0 && static_cast<size_t>(count) <= kMaxDetections, "0 to 10000 detections");
  require(detections != nullptr || count == 0, "detections are NULL");
  require(is_time(now_ns), "timestamp is out of range");
  if (started_ && now_ns <= now_ns_)
    throw StatusError(TALLY_OUT_OF_ORDER, "timestamp is not later than the previous one");
  int64_t ignored = 0;
  const auto seen = usable(detections, count, ignored);
  note_frame(now_ns, detections, count, count - ignored - static_cast<int64_t>(seen.size()));
  diagnostics_.ignored += ignored;
  now_ns_ = now_ns;
  started_ = true;
  tracker_.update(now_ns, seen);
  for (const Track& track : tracker_.tracks())
    if (track.seen_ns == now_ns) observe(track);
  for (const Track& track : tracker_.ended()) end(track);
  const std::vector<tally_track> visible = visible_tracks();
  returns_.note(now_ns, visible);
  withheld_.note(now_ns, visible);
}

void Counter::note_frame(int64_t now_ns, const tally_detection* detections, int count,
                         int64_t weak) {
  if (started_)
    diagnostics_.longest_gap_ns = std::max(diagnostics_.longest_gap_ns, now_ns - now_ns_);
  if (diagnostics_.frames == 0) period_ns_ = now_ns;
  diagnostics_.frames += 1;
  diagnostics_.detections += count;
  diagnostics_.below_low_confidence += weak;
  for (int i = 0; i < count; ++i) detected_[options_.any_class ? 0 : detections[i].class_id] += 1;
}

/// Where the object of a track is, or would be.
size_t Counter::place_of(int64_t track_id) const {
  const auto before = [](const auto& one, int64_t id) { return one.first < id; };
  return std::lower_bound(objects_.begin(), objects_.end(), track_id, before) - objects_.begin();
}

ObjectState& Counter::object_of(const Track& track) { return objects_[place_of(track.id)].second; }

const ObjectState& Counter::object_of(const Track& track) const {
  return objects_[place_of(track.id)].second;
}

void Counter::observe(const Track& track) {
  const Point anchor = anchor_point(track.motion.box(), options_.anchor);
  const size_t place = place_of(track.id);
  const bool is_new = !has_object(place, track.id);
  if (is_new)
    objects_.insert(objects_.begin() + static_cast<std::ptrdiff_t>(place),
                    {track.id, ObjectState()});
  ObjectState& object = objects_[place].second;
  if (is_new)
    begin(object, track, anchor);
  else
    advance(object, track, anchor);
  object.anchor = anchor;
  object.seen_ns = now_ns_;
  if (track.confirmed && !object.counted) confirm(object, track);
  if (object.counted && object.class_id != class_of(track, object.class_id))
    reclassify(object, track);
  if (!object.counted) return;
  const float speed = length(track.motion.velocity()) / track.motion.box().size();
  diagnostics_.fastest = std::max(diagnostics_.fastest, speed);
  for (size_t i = 0; i < regions_.size(); ++i) regions_[i].measure(anchor);
}

void Counter::begin(ObjectState& object, const Track& track, Point anchor) {
  object.regions.resize(regions_.size());
  for (size_t i = 0; i < regions_.size(); ++i)
    record(object, track, i, regions_[i].begin(object.regions[i], anchor, now_ns_));
}

void Counter::advance(ObjectState& object, const Track& track, Point anchor) {
  const float margin = options_.hysteresis * track.motion.box().size();
  const Detected detected{track.seen, anchor_point(track.seen, options_.anchor),
                          track.motion.velocity()};
  const Step step{object.anchor, anchor, object.seen_ns, now_ns_, margin, &detected};
  for (size_t i = 0; i < regions_.size(); ++i)
    record(object, track, i, regions_[i].advance(object.regions[i], step));
}

void Counter::conclude() {
  for (const Track& track : tracker_.tracks()) {
    ObjectState& object = object_of(track);
    if (!object.counted || seconds(now_ns_ - track.seen_ns) > options_.edge_lost_s) continue;
    const float margin = options_.hysteresis * track.motion.box().size();
    const Detected detected{track.seen, anchor_point(track.seen, options_.anchor),
                            track.motion.velocity()};
    const Step step{object.anchor, object.anchor, track.seen_ns, track.seen_ns, margin, &detected};
    for (size_t i = 0; i < regions_.size(); ++i)
      record(object, track, i, regions_[i].conclude(object.regions[i], step));
  }
}

FrameSize Counter::frame() const {
  return {static_cast<float>(options_.frame_width), static_cast<float>(options_.frame_height)};
}

/// An object that came into the frame has crossed what lies between its edge and where it was
/// first seen.
void Counter::came_in(ObjectState& object, const Track& track) {
  const float age = seconds(track.seen_ns - track.first_ns);
  if (track.before_ns == kNever || age <= 0) return;
  const Point back = (track.first.center() - track.seen.center()) * (1 / age);
  const float unseen = seconds(track.first_ns - track.before_ns);
  const auto path = exit_path(track.first, back, unseen, frame());
  if (!path) return;
  const Point first = anchor_point(track.first, options_.anchor);
  const Step step{first + *path, first, track.before_ns, track.first_ns, 0, nullptr};
  for (size_t i = 0; i < regions_.size(); ++i) record(object, track, i, regions_[i].came_in(step));
}

/// An object that left the frame has crossed what lies between where it was last seen and its
/// edge.
void Counter::went_out(ObjectState& object, const Track& track) {
  const float unseen = std::min(seconds(now_ns_ - track.seen_ns), options_.edge_lost_s);
  const auto path = exit_path(track.seen, track.motion.velocity(), unseen, frame());
  if (!path) return;
  const Step step{object.anchor, object.anchor + *path, track.seen_ns, now_ns_, 0, nullptr};
  for (size_t i = 0; i < regions_.size(); ++i)
    record(object, track, i, regions_[i].went_out(object.regions[i], step));
}

void Counter::confirm(ObjectState& object, const Track& track) {
  object.counted = true;
  object.class_id = class_of(track, -1);
  returns_.start(track.id, track.first_ns);
  record(object, {now_ns_, track.id, TALLY_CONFIRMED, object.class_id, -1, -1, object.anchor.x,
                  object.anchor.y, track.confidence, seconds(now_ns_ - track.first_ns), 0});
  came_in(object, track);
  for (tally_event& event : object.pending) {
    event.class_id = object.class_id;
    count(object, event);
  }
  object.pending.clear();
}

void Counter::reclassify(ObjectState& object, const Track& track) {
  const int32_t previous = object.class_id;
  object.class_id = class_of(track, previous);
  for (const CountEntry& entry : object.entries) {
    add(entry, previous, -1);
    add(entry, object.class_id, 1);
  }
  returns_.reclassify(track.id, object.class_id);
  publish({now_ns_, track.id, TALLY_RECLASSIFIED, object.class_id, previous, -1, object.anchor.x,
           object.anchor.y, track.confidence, seconds(now_ns_ - track.first_ns), 0});
}

void Counter::end(const Track& track) {
  const size_t place = place_of(track.id);
  if (!has_object(place, track.id)) return;
  ObjectState& object = objects_[place].second;
  if (object.counted) {
    went_out(object, track);
    for (size_t i = 0; i < regions_.size(); ++i)
      record(object, track, i,
             regions_[i].finish(object.regions[i], object.anchor, object.seen_ns));
  } else if (!track.merged) {
    diagnostics_.unconfirmed_tracks += 1;
    diagnostics_.longest_unconfirmed_s =
        std::max(diagnostics_.longest_unconfirmed_s, seconds(track.seen_ns - track.first_ns));
  }
  objects_.erase(objects_.begin() + static_cast<std::ptrdiff_t>(place));
}

void Counter::record(ObjectState& object, const Track& track, size_t position,
                     const std::optional<RegionEvent>& event) {
  if (!event) return;
  record(object, {event->timestamp_ns, track.id, event->kind, object.class_id, -1,
                  regions_.index_at(position), event->at.x, event->at.y, track.confidence,
                  seconds(event->timestamp_ns - track.first_ns), event->dwell_s});
}

void Counter::record(ObjectState& object, const Track& track, size_t position,
                     const RegionEvents& events) {
  for (const RegionEvent& event : events) record(object, track, position, std::optional(event));
}

void Counter::record(ObjectState& object, const tally_event& event) {
  if (object.counted)
    count(object, event);
  else if (object.pending.size() < kMaxPending)
    object.pending.push_back(event);
}

void Counter::count(ObjectState& object, const tally_event& event) {
  const auto same = [&](const CountEntry& entry) {
    return entry.kind == event.kind && entry.region == event.region;
  };
  auto entry = std::find_if(object.entries.begin(), object.entries.end(), same);
  if (entry == object.entries.end())
    entry = object.entries.insert(entry, {event.kind, event.region, 0});
  entry->amount += 1;
  add({event.kind, event.region, 1}, object.class_id, 1);
  if (event.region >= 0) region_of_event(event.kind, event.region).record(event);
  publish(event);
}

void Counter::add(const CountEntry& entry, int32_t class_id, int64_t sign) {
  const int64_t amount = sign * entry.amount;
  if (entry.kind == TALLY_CONFIRMED)
    unique_[class_id] += amount;
  else if (entry.region >= 0)
    region_of_event(entry.kind, entry.region).add(entry.kind, class_id, amount);
}

void Counter::publish(const tally_event& event) {
  if (withholds_) {
    const bool moves = event.kind == TALLY_RECLASSIFIED;
    if (!is_wanted(event.class_id)) {
      if (!moves) return withheld_.keep(event);
      if (!is_wanted(event.previous_class_id)) return;
    } else if (moves) {
      for (tally_withheld& one : withheld_.take(event.track_id)) {
        one.event.class_id = event.class_id;
        push(one.event);
      }
    }
  }
  push(event);
}

void Counter::push(const tally_event& event) {
  if (events_.size() == kMaxEvents) events_.erase(events_.begin());
  events_.push_back(event);
}

void Counter::reset() {
  const std::vector<int64_t> zeros(options_.num_classes);
  unique_ = detected_ = zeros;
  for (size_t i = 0; i < regions_.size(); ++i) regions_[i].reset();
  diagnostics_ = {};
  returns_.clear();
  withheld_.clear();
  tracker_.forget_unlinked();
  for (auto& [id, object] : objects_) object.entries.clear();  // of the period that has ended
}

}  // namespace tally
