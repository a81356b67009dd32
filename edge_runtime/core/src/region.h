// Regions of the frame and their counting rules, one interface for all of them.
//
// To add a counting rule: write one file beside line_region.cpp, with a class derived from RuleOf
// and a factory; declare the factory in region.cpp and add a row to the table there.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string_view>
#include <type_traits>
#include <vector>

#include "geometry.h"
#include "options.h"
#include "state.h"
#include "tally.h"
#include "times.h"

namespace tally {

/// An object as it was detected, beside the smoothed track.
struct Detected {
  Box box;
  Point anchor;
  Point velocity;  // of the track, in pixels per second
};

/// One step of an object's anchor point between two frames in which it was seen.
struct Step {
  Point from;
  Point to;
  int64_t from_ns;
  int64_t to_ns;
  float margin;  // pixels past an outline from which the object has surely changed sides
  const Detected* detected;  // at the end of the step; nullptr if that was not seen
};

/// What a rule reports about one object; `kind` is one of the rule's event kinds.
struct RegionEvent {
  int32_t kind;
  Point at;
  int64_t timestamp_ns;
  float dwell_s = 0;
};

/// What a step brings: nothing, one event, or an entry and an exit.
using RegionEvents = std::vector<RegionEvent>;

/// What a region knows about one object: a small plain struct of the rule, held in place.
class RegionState {
 public:
  template <typename State>
  State& start() {
    static_assert(sizeof(State) <= kBytes && std::is_trivially_copyable_v<State>);
    return *new (bytes_) State{};
  }
  template <typename State>
  State& as() {
    return *std::launder(reinterpret_cast<State*>(bytes_));
  }
  template <typename State>
  const State& as() const {
    return *std::launder(reinterpret_cast<const State*>(bytes_));
  }

 private:
  static constexpr size_t kBytes = 128;
  alignas(8) unsigned char bytes_[kBytes] = {};
};

struct RegionRule;

/// A region: where it is, how it follows an object, and what it has counted.
class Region {
 public:
  Region(const RegionRule& rule, int32_t num_classes);
  virtual ~Region() = default;
  virtual std::unique_ptr<Region> clone() const = 0;

  /// The object is seen for the first time.
  virtual std::optional<RegionEvent> begin(RegionState& state, Point at, int64_t now_ns) const = 0;
  /// The object is seen again.
  virtual RegionEvents advance(RegionState& state, const Step& step) const = 0;
  /// The source has ended after `step`: nothing more will be seen of the object.
  virtual RegionEvents conclude(RegionState&, const Step&) const { return {}; }
  /// The object came into the frame on `step`, which was not seen.
  virtual std::optional<RegionEvent> came_in(const Step&) const { return std::nullopt; }
  /// The object left the frame on `step`, which was not seen.
  virtual std::optional<RegionEvent> went_out(RegionState&, const Step&) const {
    return std::nullopt;
  }
  /// The object has ended; it was last seen at `at`.
  virtual std::optional<RegionEvent> finish(RegionState&, Point, int64_t /*seen_ns*/) const {
    return std::nullopt;
  }
  /// Since when the object has been in the region; kNever if it is not.
  virtual int64_t inside_since(const RegionState&) const { return kNever; }

  /// A confirmed object is at `at` in this frame.
  virtual void measure(Point /*at*/) {}
  /// An event of this region has been counted.
  virtual void record(const tally_event&) {}
  /// Add to the class total of an event kind; negative where a class is corrected.
  void add(int32_t event_kind, int32_t class_id, int64_t amount);
  /// Totals and values restart from zero.
  virtual void reset();

  /// A class total by position; `visits` are the counted objects inside.
  virtual std::vector<int64_t> total(int index, const std::vector<tally_visit>& visits) const;
  /// A value by position, for rules that have any.
  virtual double value(int /*index*/, const std::vector<tally_visit>& /*visits*/) const {
    return 0;
  }

  /// How near a counted object came to a region that has counted nothing; -1 for not near.
  virtual float missed_by() const { return -1; }

  /// Where the region is and its parameters: what must be the same for a saved state to fit.
  virtual void persist_outline(Archive& archive) = 0;
  virtual void persist_totals(Archive& archive);
  /// What a rule with `saves_values` keeps besides its totals.
  virtual void persist_values(Archive&) {}
  virtual void persist_state(RegionState& state, Archive& archive) const = 0;
  /// Refuse totals or a state that no sequence of frames leads to.
  virtual void check_totals() const;
  virtual void check_state(const RegionState& state) const = 0;

  const RegionRule& rule() const { return *rule_; }

 protected:
  const std::vector<int64_t>& counted(int event) const { return counted_[event]; }

 private:
  const RegionRule* rule_;
  size_t num_classes_;
  std::vector<std::vector<int64_t>> counted_;  // by class, for each event kind of the rule
};

/// What a rule `Rule` with a per-object struct `State` does not have to write itself.
template <typename Rule, typename State>
class RuleOf : public Region {
 public:
  using Region::Region;
  std::unique_ptr<Region> clone() const override {
    return std::make_unique<Rule>(static_cast<const Rule&>(*this));
  }
  void persist_state(RegionState& state, Archive& archive) const override {
    archive(archive.reads() ? state.start<State>() : state.as<State>());
  }
};

using Points = std::vector<Point>;
/// Makes a region of a rule from points and options that are within their bounds.
using RegionFactory = std::unique_ptr<Region>(const RegionRule& rule, int32_t num_classes,
                                              const Points& points,
                                              const tally_region_options& options);
using Names = std::vector<const char*>;

/// A row of the table of counting rules.
struct RegionRule {
  const char* name;
  RegionFactory* make;
  Names totals;
  Names values;
  int32_t first_event;  // number of the first of `events`; never changes, saved states hold it
  Names events;
  uint32_t decisive;  // the class totals that are zero when nothing was counted, a bit for each
  size_t min_points;
  size_t max_points;
  bool saves_values;  // whether a saved state holds more of it than totals
  bool always_saved;  // whether states list it even if there is no region of it: lines and zones

  int32_t past_events() const { return first_event + static_cast<int32_t>(events.size()); }
};

/// All counting rules.
const std::vector<RegionRule>& region_rules();
/// The rule of that name, nullptr if unknown.
const RegionRule* find_rule(std::string_view name);
/// The rule that reports that kind of event, nullptr if none does.
const RegionRule* rule_of_event(int32_t event_kind);
/// Name of an event kind, nullptr if unknown.
const char* event_name(int32_t event_kind);

/// The regions of a counter, by rule and then in the order in which they were added.
class Regions {
 public:
  Regions() = default;
  Regions(const Regions& other);
  Regions& operator=(Regions&&) = default;

  /// Returns the region's index among those of its rule.
  int add(const RegionRule& rule, std::unique_ptr<Region> region);
  size_t size() const { return regions_.size(); }
  size_t count(const RegionRule& rule) const;
  Region& operator[](size_t position) { return *regions_[position]; }
  const Region& operator[](size_t position) const { return *regions_[position]; }
  /// Index of the region at a position among those of its rule.
  int index_at(size_t position) const;
  /// Position of a region of a rule.
  size_t position(const RegionRule& rule, int index) const { return first(rule) + index; }

  /// Archive something of every region, a list for each rule: its length, then `each(position)`.
  template <typename Each>
  void persist(Archive& archive, const Each& each) {
    for (const RegionRule& rule : region_rules()) persist(archive, rule, each);
  }
  template <typename Each>
  void persist(Archive& archive, const RegionRule& rule, const Each& each) {
    const uint64_t expected = count(rule);
    uint64_t length = expected;
    if (expected == 0 && !rule.always_saved) return;
    int32_t number = rule.first_event;
    if (!rule.always_saved) archive(number);
    archive(length);
    require_state(number == rule.first_event && length == expected, "a region is missing");
    for (size_t i = 0; i < expected; ++i) each(first(rule) + i);
  }

 private:
  size_t first(const RegionRule& rule) const;

  std::vector<std::unique_ptr<Region>> regions_;
};

}  // namespace tally
