// Zones: objects that enter, stay and leave.
#include "exact_floats.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "region.h"

namespace tally {
namespace {

// An object has entered once it has been inside for this long, however near the outline it is. An
// object that stands on the outline is inside: it has left only after this long without a step
// back, or once it is this many margins outside. A single frame proves neither.
constexpr int64_t kEnteredNs = 400'000'000;
constexpr int64_t kLeftNs = 2'000'000'000;
constexpr float kLeftMargins = 2.5f;
// How far outside it must have been on average in that time, in margins: nearer to the outline, the
// noise of the detector puts one that stands there on either side.
constexpr float kLeftMeanMargins = 0.5f;
// Distance in margins between where it came in and where it went out of an object that passed
// through a zone without being seen inside for long.
constexpr float kPassedMargins = 2.0f;
// Depth of the middle of such a path, as a share of its length, where a zone is too small for the
// margin.
constexpr float kPassedDepth = 0.25f;

/// One object's relation to the zone.
struct ZoneState {
  bool inside = false;
  int64_t other_since_ns = kNever;  // since when the point has been on the other side
  int64_t entered_ns = 0;
  int64_t left_ns = 0;
  bool reported = false;  // inside for the minimum dwell time, and so counted
  Point way_in;           // of a visit that is not yet one
  Point way_out;          // or of the exit that is not yet one
  bool clear = false;     // in the frame before, it was on the other side by more than the margin
  float outside = 0;      // distance from the outline while it is outside, over time: pixel seconds

  template <typename Archive>
  void persist(Archive& archive) {
    archive(inside, other_since_ns, entered_ns, left_ns, reported);
    if (archive.version() >= 2) archive(way_in, way_out, clear, outside);
  }
};

/// The part of a step that is inside, as shares of it.
struct Chord {
  float first;
  float last;
};

/// A polygon. An object has entered once it is `margin` past the outline, or has stayed inside for
/// a moment (small zones have no space for the margin), or has passed through between two frames.
/// One that is inside for less than the minimum dwell time has neither entered nor left.
class Zone final : public RuleOf<Zone, ZoneState> {
 public:
  Zone(const RegionRule& rule, int32_t num_classes, Points corners, float min_dwell_s)
      : RuleOf(rule, num_classes),
        corners_(std::move(corners)),
        min_dwell_ns_(static_cast<int64_t>(min_dwell_s * 1e9)) {
    for (const Point corner : corners_)
      require(std::isfinite(corner.x) && std::isfinite(corner.y), "zone corners must be finite");
  }

  std::optional<RegionEvent> begin(RegionState& region_state, Point at,
                                   int64_t now_ns) const override {
    auto& state = region_state.start<ZoneState>();
    state.inside = contains(corners_, at);
    state.entered_ns = now_ns;
    return stay(state, at, now_ns);
  }

  RegionEvents advance(RegionState& region_state, const Step& step) const override {
    auto& state = region_state.as<ZoneState>();
    return state.inside ? go_out(state, step) : come_in(state, step);
  }

  std::optional<RegionEvent> finish(RegionState& region_state, Point at,
                                    int64_t seen_ns) const override {
    const auto& state = region_state.as<ZoneState>();
    if (!state.reported) return std::nullopt;
    return left(state, at, seen_ns);
  }

  int64_t inside_since(const RegionState& region_state) const override {
    const auto& state = region_state.as<ZoneState>();
    return state.reported ? state.entered_ns : kNever;
  }

  void record(const tally_event& event) override {
    if (event.kind != TALLY_LEFT) return;
    visits_ += 1;
    visits_s_ += event.dwell_s;
    longest_s_ = std::max(longest_s_, double{event.dwell_s});
  }

  void reset() override {
    Region::reset();
    visits_ = 0;
    visits_s_ = longest_s_ = 0;
  }

  /// now, entered, left
  std::vector<int64_t> total(int index, const std::vector<tally_visit>& visits) const override {
    if (index > 0) return counted(index - 1);
    std::vector<int64_t> now(counted(0).size());
    for (const tally_visit& visit : visits) now[visit.class_id] += 1;
    return now;
  }

  /// mean_dwell_s, max_dwell_s: of visits that have ended and of those under way
  double value(int index, const std::vector<tally_visit>& visits) const override {
    int64_t count = visits_;
    double sum = visits_s_, longest = longest_s_;
    for (const tally_visit& visit : visits) {
      count += 1;
      sum += visit.dwell_s;
      longest = std::max(longest, double{visit.dwell_s});
    }
    if (index > 0) return longest;
    return count > 0 ? sum / static_cast<double>(count) : 0;
  }

  void persist_outline(Archive& archive) override { archive(corners_, min_dwell_ns_); }
  void persist_totals(Archive& archive) override {
    Region::persist_totals(archive);
    archive(visits_, visits_s_, longest_s_);
  }
  void check_totals() const override {
    Region::check_totals();
    require_state(is_count(visits_), "a total is out of range");
  }
  void check_state(const RegionState& region_state) const override {
    const auto& state = region_state.as<ZoneState>();
    require_state(is_time(state.entered_ns) && is_time(state.left_ns) &&
                      (state.other_since_ns == kNever || is_time(state.other_since_ns)),
                  "a visit is out of range");
  }

 private:
  RegionEvents come_in(ZoneState& state, const Step& step) const {
    const auto inside = chord(step.from, step.to);
    if (inside) note_path(state, step, *inside);
    if (state.other_since_ns == kNever) return {};
    const float depth = distance_to_outline(corners_, step.to);
    if (contains(corners_, step.to)) {
      const bool settled = step.to_ns - state.other_since_ns >= kEnteredNs;
      const bool clear = depth >= step.margin;
      if (!(std::exchange(state.clear, clear) && clear) && !settled) return {};
      state.clear = false;
      state.entered_ns = std::exchange(state.other_since_ns, kNever);
      state.inside = true;
      return events(stay(state, step.to, step.to_ns));
    }
    state.clear = false;
    // One that stands on the outline stays near where it came in.
    const float moved = length(step.to - state.way_in);
    if (depth < step.margin && moved < kPassedMargins * step.margin) return {};
    state.entered_ns = std::exchange(state.other_since_ns, kNever);
    if (!has_passed(state, step.margin) || state.left_ns - state.entered_ns < min_dwell_ns_)
      return {};
    return {{TALLY_ENTERED, state.way_in, state.entered_ns},
            left(state, state.way_out, state.left_ns)};
  }

  /// Whether the path inside goes through the zone, not along its outline.
  bool has_passed(const ZoneState& state, float margin) const {
    const Point path = state.way_out - state.way_in;
    const float depth = distance_to_outline(corners_, state.way_in + path * 0.5f);
    return length(path) >= kPassedMargins * margin &&
           depth >= std::min(margin, kPassedDepth * length(path));
  }

  RegionEvents go_out(ZoneState& state, const Step& step) const {
    if (contains(corners_, step.to)) {
      state.other_since_ns = kNever;
      state.clear = false;
      return events(stay(state, step.to, step.to_ns));
    }
    const float depth = distance_to_outline(corners_, step.to);
    if (state.other_since_ns == kNever) {
      state.other_since_ns = step.to_ns;
      state.way_out = step.to;
      state.outside = 0;
    } else {
      state.outside += depth * seconds(step.to_ns - step.from_ns);
    }
    const int64_t elapsed = step.to_ns - state.other_since_ns;
    const bool settled =
        elapsed >= kLeftNs && state.outside >= kLeftMeanMargins * step.margin * seconds(elapsed);
    const bool clear = depth >= kLeftMargins * step.margin;
    if (!(std::exchange(state.clear, clear) && clear) && !settled) return {};
    state.clear = false;
    state.left_ns = std::exchange(state.other_since_ns, kNever);
    state.inside = false;
    if (!std::exchange(state.reported, false)) return {};
    return {left(state, state.way_out, state.left_ns)};
  }

  /// Where the path of a visit that is not yet one came in, and where it was last inside.
  static void note_path(ZoneState& state, const Step& step, const Chord& inside) {
    const auto at = [&](float share) { return step.from + (step.to - step.from) * share; };
    const auto time = [&](float share) {
      return step.from_ns +
             static_cast<int64_t>(static_cast<double>(step.to_ns - step.from_ns) * share);
    };
    if (state.other_since_ns == kNever) {
      state.other_since_ns = time(inside.first);
      state.way_in = at(inside.first);
    }
    state.way_out = at(inside.last);
    state.left_ns = time(inside.last);
  }

  std::optional<Chord> chord(Point from, Point to) const {
    const Point step = to - from;
    Chord found{2, -1};
    const auto note = [&](float share) {
      found = {std::min(found.first, share), std::max(found.last, share)};
    };
    if (contains(corners_, from)) note(0);
    if (contains(corners_, to)) note(1);
    for (size_t i = 0, j = corners_.size() - 1; i < corners_.size(); j = i++) {
      const Point side = corners_[i] - corners_[j], offset = corners_[j] - from;
      const float turn = cross(step, side);
      if (turn == 0) continue;
      const float share = cross(offset, side) / turn, along = cross(offset, step) / turn;
      if (share >= 0 && share <= 1 && along >= 0 && along <= 1) note(share);
    }
    if (!(found.last > found.first)) return std::nullopt;
    return found;
  }

  static RegionEvents events(const std::optional<RegionEvent>& event) {
    return event ? RegionEvents{*event} : RegionEvents{};
  }

  /// Report the entry once the visit is long enough.
  std::optional<RegionEvent> stay(ZoneState& state, Point at, int64_t now_ns) const {
    if (!state.inside || state.reported || now_ns - state.entered_ns < min_dwell_ns_)
      return std::nullopt;
    state.reported = true;
    return RegionEvent{TALLY_ENTERED, at, state.entered_ns};
  }

  static RegionEvent left(const ZoneState& state, Point at, int64_t timestamp_ns) {
    return {TALLY_LEFT, at, timestamp_ns, seconds(timestamp_ns - state.entered_ns)};
  }

  Points corners_;
  int64_t min_dwell_ns_;
  int64_t visits_ = 0;  // that have ended, with their sum and maximum
  double visits_s_ = 0;
  double longest_s_ = 0;
};

}  // namespace

std::unique_ptr<Region> make_zone(const RegionRule& rule, int32_t num_classes, const Points& points,
                                  const tally_region_options& options) {
  return std::make_unique<Zone>(rule, num_classes, points, options.min_dwell_s);
}

}  // namespace tally
