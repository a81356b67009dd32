// Lines: objects that cross them, by direction.
#include "exact_floats.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "elementary.h"
#include "region.h"

namespace tally {
namespace {

// Share of the anchor's way over the line that each corner of the box must have moved.
constexpr float kSupport = 0.5f;
// Without that: for how long it must be past the line, ...
constexpr int64_t kDoubtNs = 400'000'000;
// ... in steps of at most this share of the way, ...
constexpr float kBitByBit = 0.6f;
// ... and how much farther it must be than after half of that time.
constexpr float kMovesOn = 1.2f;
// An object that comes nearer grows in both directions, a box that is uncovered in one: the side
// along the line must have changed at least this share of what the other has (as logarithms).
constexpr float kBothSides = 0.25f;
// Weight of the newest detection where the object is on its side.
constexpr float kHomeShare = 0.5f;
// At the end of the source: speed away from the line (sizes per second) from which an object moves
// on, and the share of the margin that it must be past the line.
constexpr float kMovingOn = 0.25f;
constexpr float kConcludedMargin = 0.5f;

bool finite(Point p) { return std::isfinite(p.x) && std::isfinite(p.y); }

int8_t side_of(float signed_distance) { return signed_distance < 0 ? -1 : 1; }

struct Crossing {
  bool in;
  Point at;
  int64_t timestamp_ns;

  template <typename Archive>
  void persist(Archive& archive) {
    archive(in, at, timestamp_ns);
  }
};

/// One object's relation to the line.
struct LineState {
  int8_t side = 0;       // -1 left, 1 right, 0 not yet seen
  bool through = false;  // the last step over the endless line went through the segment
  Crossing last{};
  // The evidence that all of the object has moved over the line:
  Box home;                    // where it was detected clearly on `side`, smoothed
  Point home_anchor;           // the same of its anchor
  float home_depth = -1;       // distance of the anchor from the line then; -1: not known
  Point detected;              // its anchor in the frame before
  float largest_step = 0;      // of the detected anchor to the line, since home
  int64_t across_ns = kNever;  // since when it has been past the line
  float midway = -1;           // how far it had moved when half of the doubt was over; -1 before

  template <typename Archive>
  void persist(Archive& archive) {
    archive(side, through, last);
    if (archive.version() >= 2)
      archive(home, home_anchor, home_depth, detected, largest_step, across_ns, midway);
  }
};

/// A directed line from a to b. The side on the right when facing from a to b is `in`:
///
///        out            a ──────▶ b   (y down)
///                            in
///
/// A crossing is reported once the object is `margin` past the line and has really moved there,
/// with position and time of the step that went through the line. So neither jitter around the line
/// nor a box that is cut and uncovered on it (people behind others, parked cars) counts.
class Line final : public RuleOf<Line, LineState> {
 public:
  Line(const RegionRule& rule, int32_t num_classes, Point a, Point b, bool extend)
      : RuleOf(rule, num_classes),
        a_(a),
        b_(b),
        along_(b - a),
        length_(length(b - a)),
        extend_(extend) {
    require(finite(a) && finite(b) && std::isfinite(length_), "line ends must be finite");
    require(length_ > 0, "a line needs two different ends");
  }

  /// The side is known at the first point seen, however near.
  std::optional<RegionEvent> begin(RegionState& state, Point at, int64_t) const override {
    state.start<LineState>().side = side_of(signed_distance(at));
    return std::nullopt;
  }

  RegionEvents advance(RegionState& state, const Step& step) const override {
    return events(cross(state.as<LineState>(), step, step.margin));
  }

  /// What moves on past the line would have crossed it in the next frames.
  RegionEvents conclude(RegionState& region_state, const Step& step) const override {
    auto& state = region_state.as<LineState>();
    const float speed = dot(step.detected->velocity, normal()) * side_of(signed_distance(step.to));
    if (speed < kMovingOn * step.detected->box.size()) return {};
    return events(cross(state, step, kConcludedMargin * step.margin));
  }

  std::optional<RegionEvent> came_in(const Step& step) const override {
    RegionState state;
    begin(state, step.from, step.from_ns);
    return cross(state.as<LineState>(), step, step.margin);
  }

  std::optional<RegionEvent> went_out(RegionState& state, const Step& step) const override {
    return cross(state.as<LineState>(), step, step.margin);
  }

  void measure(Point at) override {
    const float distance =
        extend_ ? std::abs(signed_distance(at)) : distance_to_segment(at, a_, b_);
    if (nearest_ < 0 || distance < nearest_) nearest_ = distance;
  }

  void reset() override {
    Region::reset();
    nearest_ = -1;
  }

  double value(int, const std::vector<tally_visit>&) const override { return nearest_; }
  float missed_by() const override { return nearest_; }

  void persist_outline(Archive& archive) override { archive(a_, b_, extend_); }
  void persist_values(Archive& archive) override { archive(nearest_); }
  void check_state(const RegionState& region_state) const override {
    const auto& state = region_state.as<LineState>();
    require_state(state.side >= -1 && state.side <= 1 && is_time(state.last.timestamp_ns),
                  "a crossing is out of range");
    require_state(state.across_ns == kNever || is_time(state.across_ns),
                  "a crossing is out of range");
  }

 private:
  static RegionEvents events(const std::optional<RegionEvent>& event) {
    return event ? RegionEvents{*event} : RegionEvents{};
  }

  float signed_distance(Point p) const { return tally::cross(along_, p - a_) / length_; }
  /// Unit vector towards the `in` side.
  Point normal() const { return {-along_.y / length_, along_.x / length_}; }

  std::optional<RegionEvent> cross(LineState& state, const Step& step, float margin) const {
    const float before = signed_distance(step.from), after = signed_distance(step.to);
    if (!std::isfinite(before - after)) return std::nullopt;
    if (side_of(before) != side_of(after)) pass(state, step, before, after);
    if (step.detected != nullptr) note_detection(state, *step.detected);
    const float depth = std::abs(after);
    if (side_of(after) == state.side) {
      stay(state, step, depth);
      return std::nullopt;
    }
    if (depth < margin) return std::nullopt;
    if (state.across_ns == kNever) {
      state.across_ns = step.to_ns;
      state.midway = -1;
    }
    if (!has_moved(state, step, depth)) return std::nullopt;
    state.side = side_of(after);
    state.across_ns = kNever;
    state.home_depth = -1;
    state.largest_step = 0;
    if (!std::exchange(state.through, false)) return std::nullopt;
    return RegionEvent{after > 0 ? TALLY_CROSSED_IN : TALLY_CROSSED_OUT, state.last.at,
                       state.last.timestamp_ns};
  }

  void note_detection(LineState& state, const Detected& detected) const {
    if (state.home_depth >= 0) {
      const float step = signed_distance(detected.anchor) - signed_distance(state.detected);
      state.largest_step = std::max(state.largest_step, std::abs(step));
    }
    state.detected = detected.anchor;
  }

  /// The object is on its side: remember where, if that is clear or clearer than before.
  void stay(LineState& state, const Step& step, float depth) const {
    state.across_ns = kNever;
    if (step.detected == nullptr || depth < std::min(step.margin, state.home_depth)) return;
    const float share = state.home_depth < 0 ? 1.0f : kHomeShare;
    const Box &box = step.detected->box, &home = state.home;
    state.home = {home.x1 + share * (box.x1 - home.x1), home.y1 + share * (box.y1 - home.y1),
                  home.x2 + share * (box.x2 - home.x2), home.y2 + share * (box.y2 - home.y2)};
    state.home_anchor = state.home_anchor + (step.detected->anchor - state.home_anchor) * share;
    state.home_depth = depth;
    state.largest_step = 0;
  }

  /// Whether all of the box has moved over the line with its anchor, at once. Otherwise, whether
  /// the anchor has moved bit by bit and still moves on: an object that comes nearer grows, and its
  /// far edge hardly moves.
  bool has_moved(LineState& state, const Step& step, float depth) const {
    if (step.detected == nullptr || state.home_depth < 0) return true;  // nothing to compare
    const float way = -static_cast<float>(state.side);
    const float anchor = signed_distance(step.detected->anchor);
    if (way * anchor <= 0) return false;  // only the smoothed box is past the line
    const float distance = std::max(way * (anchor - signed_distance(state.home_anchor)), depth);
    if (min_movement(state.home, step.detected->box, way) >= kSupport * distance) return true;
    const int64_t elapsed = step.to_ns - state.across_ns;
    if (state.midway < 0) {
      if (elapsed >= kDoubtNs / 2) state.midway = distance;
      return false;
    }
    return elapsed >= kDoubtNs && state.largest_step <= kBitByBit * distance &&
           distance >= kMovesOn * state.midway && has_scaled(state.home, step.detected->box);
  }

  /// Whether the box has grown or shrunk as a whole, not only across the line.
  bool has_scaled(const Box& from, const Box& to) const {
    float across = logarithm(to.height() / from.height()),
          along = logarithm(to.width() / from.width());
    if (std::abs(normal().x) > std::abs(normal().y)) std::swap(across, along);
    return across * along >= kBothSides * across * across;
  }

  /// How far every corner of the box has moved along `way`, at the minimum.
  float min_movement(const Box& from, const Box& to, float way) const {
    const Point corners[][2] = {{{from.x1, from.y1}, {to.x1, to.y1}},
                                {{from.x2, from.y1}, {to.x2, to.y1}},
                                {{from.x1, from.y2}, {to.x1, to.y2}},
                                {{from.x2, from.y2}, {to.x2, to.y2}}};
    float least = std::numeric_limits<float>::infinity();
    for (const auto& corner : corners)
      least = std::min(least, way * (signed_distance(corner[1]) - signed_distance(corner[0])));
    return least;
  }

  bool on_segment(Point p) const {
    if (extend_) return true;
    const float t = dot(along_, p - a_) / (length_ * length_);
    return t >= 0 && t <= 1;
  }

  /// Note where and when the step went over the endless line.
  void pass(LineState& state, const Step& step, float before, float after) const {
    const float t = before / (before - after);
    const Point at = {step.from.x + t * (step.to.x - step.from.x),
                      step.from.y + t * (step.to.y - step.from.y)};
    const auto elapsed = static_cast<double>(step.to_ns - step.from_ns);
    state.through = on_segment(at);
    state.last = {after > 0, at, step.from_ns + static_cast<int64_t>(elapsed * t)};
  }

  Point a_, b_, along_;
  float length_;
  bool extend_;
  float nearest_ = -1;  // of all confirmed objects, in pixels; -1 before the first
};

}  // namespace

std::unique_ptr<Region> make_line(const RegionRule& rule, int32_t num_classes, const Points& points,
                                  const tally_region_options& options) {
  return std::make_unique<Line>(rule, num_classes, points[0], points[1], options.extend != 0);
}

}  // namespace tally
