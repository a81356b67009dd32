// Tracks to totals and events.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "detection_filter.h"
#include "frame_edge.h"
#include "possible_returns.h"
#include "region.h"
#include "state.h"
#include "tally.h"
#include "tracker.h"
#include "withheld.h"

namespace tally {

/// How many events of one kind in one region have been counted for one object.
struct CountEntry {
  int32_t kind;
  int32_t region;
  int64_t amount;

  template <typename Archive>
  void persist(Archive& archive) {
    archive(kind, region, amount);
  }
};

/// What the counter knows about one live object beside its track.
struct ObjectState {
  Point anchor;
  int64_t seen_ns = 0;
  int32_t class_id = -1;  // under which its events are counted
  bool counted = false;   // as a unique object; before that its events wait in `pending`
  std::vector<RegionState> regions;
  std::vector<CountEntry> entries;   // kept so that they can move when the vote changes
  std::vector<tally_event> pending;  // kept until the object is confirmed
};

class Counter {
 public:
  explicit Counter(const tally_counter_options& options);

  /// Returns the region's index among those of its kind.
  int add_region(std::string_view kind, const Points& points, const tally_region_options& options);
  /// An object's class is chosen among these where the vote gives them enough.
  void want_classes(const std::vector<int32_t>& class_ids);
  /// Events of classes that are not wanted wait until their object becomes one of those.
  void withhold();
  /// Detections whose anchor is inside this polygon are neither tracked nor counted.
  void ignore(const Points& corners);
  /// Whether `update` would track a detection.
  bool is_usable(const tally_detection& detection) const;
  void update(int64_t now_ns, const tally_detection* detections, int count);
  /// The source has ended: count what is past a line and moves on.
  void conclude();
  /// Totals and diagnostics restart from zero; objects are kept and not counted again.
  void reset();

  /// Everything that the next update builds on, with what has been counted so far.
  Bytes save();
  /// Resume from what a counter of the same options and regions saved; unchanged if it is refused.
  void restore(const uint8_t* state, size_t size);

  std::vector<tally_track> visible_tracks() const;
  std::vector<tally_event>& events() { return events_; }
  const std::vector<int64_t>& unique() const { return unique_; }
  const std::vector<int64_t>& detected() const { return detected_; }
  std::vector<int64_t> region_total(std::string_view kind, int index, int total) const;
  double region_value(std::string_view kind, int index, int value) const;
  /// Counted objects that are in the region now.
  std::vector<tally_visit> region_visits(std::string_view kind, int index) const;
  tally_diagnostics diagnostics() const;
  /// Why totals are zero, or smaller than expected.
  std::vector<tally_finding> findings() const;
  PossibleReturns& possible_returns() { return returns_; }
  const std::vector<tally_withheld>& withheld() const { return withheld_.events(); }
  /// Resume from what `withheld` gave; unchanged if it is refused.
  void restore_withheld(const std::vector<tally_withheld>& events);

  std::string error;

 private:
  /// The detections to track; `ignored` receives how many the filter left out.
  std::vector<tally_detection> usable(const tally_detection* detections, int count,
                                      int64_t& ignored) const;
  tally_detection checked(tally_detection detection) const;
  bool is_seen(const tally_detection& detection) const;
  void note_frame(int64_t now_ns, const tally_detection* detections, int count, int64_t weak);
  void observe(const Track& track);
  void begin(ObjectState& object, const Track& track, Point anchor);
  void advance(ObjectState& object, const Track& track, Point anchor);
  void came_in(ObjectState& object, const Track& track);
  void went_out(ObjectState& object, const Track& track);
  void confirm(ObjectState& object, const Track& track);
  void reclassify(ObjectState& object, const Track& track);
  void end(const Track& track);
  void record(ObjectState& object, const Track& track, size_t position,
              const std::optional<RegionEvent>& event);
  void record(ObjectState& object, const Track& track, size_t position, const RegionEvents& events);
  void record(ObjectState& object, const tally_event& event);
  void count(ObjectState& object, const tally_event& event);
  void add(const CountEntry& entry, int32_t class_id, int64_t sign);
  void publish(const tally_event& event);
  void push(const tally_event& event);

  bool is_wanted(int32_t class_id) const { return wanted_.empty() || wanted_[class_id]; }
  bool any_wanted(const std::vector<int64_t>& totals) const;
  tally_finding why_nothing(const tally_diagnostics& facts) const;
  tally_finding why_zero(size_t position, const std::vector<int64_t>& decisive) const;
  /// The class totals of a region that are zero if nothing was counted, added up.
  std::vector<int64_t> decisive(size_t position) const;

  /// The object of a track, which is there.
  ObjectState& object_of(const Track& track);
  const ObjectState& object_of(const Track& track) const;
  size_t place_of(int64_t track_id) const;
  bool has_object(size_t place, int64_t track_id) const {
    return place < objects_.size() && objects_[place].first == track_id;
  }
  int32_t class_of(const Track& track, int32_t current) const;
  FrameSize frame() const;
  Region& region_of_event(int32_t kind, int32_t index);
  size_t position(std::string_view kind, int index) const;
  std::vector<tally_visit> visits(size_t position) const;

  Bytes configuration(uint32_t version);
  void persist(Archive& archive);
  void persist(Archive& archive, ObjectState& object);
  void check_state() const;
  void check_object(const Track& track) const;
  void check_event(const tally_event& event) const;
  void check_region(int32_t kind, int32_t index) const;

  tally_counter_options options_;
  DetectionFilter filter_;
  Tracker tracker_;
  Regions regions_;
  std::vector<bool> wanted_;  // by class; empty if all are
  std::vector<int64_t> unique_;
  std::vector<int64_t> detected_;
  std::vector<std::pair<int64_t, ObjectState>> objects_;  // by track id
  std::vector<tally_event> events_;
  PossibleReturns returns_;
  bool withholds_ = false;
  Withheld withheld_;
  tally_diagnostics diagnostics_{};
  int64_t now_ns_ = 0;
  int64_t period_ns_ = 0;  // of the first frame after a reset
  bool started_ = false;
};

}  // namespace tally
