// Zones: objects that enter, stay and leave.
#include <algorithm>
#include <cmath>
#include <utility>

#include "region.h"

namespace tally {
namespace {

// An object this long on the other side has changed sides, however near the outline it is.
constexpr int64_t kSettledNs = 400'000'000;

/// One object's relation to the zone.
struct ZoneState {
  bool inside = false;
  int64_t other_since_ns = kNever;  // since when the point has been on the other side
  int64_t entered_ns = 0;
  int64_t left_ns = 0;
  bool reported = false;  // inside for the minimum dwell time, and so counted

  template <typename Archive>
  void persist(Archive& archive) {
    archive(inside, other_since_ns, entered_ns, left_ns, reported);
  }
};

/// A polygon. An object has changed sides once it is `margin` past the outline, or has stayed there
/// for a moment (small zones have no space for the margin). One that is inside for less than the
/// minimum dwell time has neither entered nor left.
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

  std::optional<RegionEvent> advance(RegionState& region_state, const Step& step) const override {
    auto& state = region_state.as<ZoneState>();
    if (contains(corners_, step.to) == state.inside) {
      state.other_since_ns = kNever;
      return stay(state, step.to, step.to_ns);
    }
    if (state.other_since_ns == kNever) state.other_since_ns = step.to_ns;
    const bool settled = step.to_ns - state.other_since_ns >= kSettledNs;
    if (!settled && distance_to_outline(corners_, step.to) < step.margin) return std::nullopt;
    const int64_t since = std::exchange(state.other_since_ns, kNever);
    state.inside = !state.inside;
    (state.inside ? state.entered_ns : state.left_ns) = since;
    if (state.inside) return stay(state, step.to, step.to_ns);
    if (!std::exchange(state.reported, false)) return std::nullopt;
    return left(state, step.to, state.left_ns);
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
