// Lines: objects that cross them, by direction.
#include <algorithm>
#include <cmath>

#include "region.h"

namespace tally {
namespace {

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

  template <typename Archive>
  void persist(Archive& archive) {
    archive(side, through, last);
  }
};

/// A directed line from a to b. The side on the right when facing from a to b is `in`:
///
///        out            a ──────▶ b   (y down)
///                            in
///
/// A crossing is reported once the object is `margin` past the line, with position and time of the
/// step that went through it. Jitter around the line therefore counts nothing.
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

  std::optional<RegionEvent> advance(RegionState& region_state, const Step& step) const override {
    auto& state = region_state.as<LineState>();
    const float before = signed_distance(step.from), after = signed_distance(step.to);
    if (!std::isfinite(before - after)) return std::nullopt;
    if (side_of(before) != side_of(after)) pass(state, step, before, after);
    if (side_of(after) == state.side || std::abs(after) < step.margin) return std::nullopt;
    state.side = side_of(after);
    if (!state.through) return std::nullopt;
    state.through = false;
    return RegionEvent{after > 0 ? TALLY_CROSSED_IN : TALLY_CROSSED_OUT, state.last.at,
                       state.last.timestamp_ns};
  }

  std::optional<RegionEvent> came_in(const Step& step) const override {
    RegionState state;
    begin(state, step.from, step.from_ns);
    return advance(state, step);
  }

  std::optional<RegionEvent> went_out(RegionState& state, const Step& step) const override {
    return advance(state, step);
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

  void persist_outline(Archive& archive) override { archive(a_, b_, extend_); }
  void persist_values(Archive& archive) override { archive(nearest_); }
  void check_state(const RegionState& region_state) const override {
    const auto& state = region_state.as<LineState>();
    require_state(state.side >= -1 && state.side <= 1 && is_time(state.last.timestamp_ns),
                  "a crossing is out of range");
  }

 private:
  float signed_distance(Point p) const { return cross(along_, p - a_) / length_; }

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
