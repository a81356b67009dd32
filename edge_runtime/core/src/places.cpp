#include "places.h"

#include <utility>

#include "handle.h"

namespace tally {
namespace {

constexpr int64_t kSettledNs = 400'000'000;

bool finite(Point p) { return std::isfinite(p.x) && std::isfinite(p.y); }

int8_t side_of(float signed_distance) { return signed_distance < 0 ? -1 : 1; }

}  // namespace

Line::Line(Point a, Point b, bool extend)
    : a_(a), b_(b), along_(b - a), length_(length(b - a)), extend_(extend) {
  require(finite(a) && finite(b) && std::isfinite(length_), "line ends must be finite");
  require(length_ > 0, "a line needs two different ends");
}

void Line::begin(State& state, Point p) const { state.side = side_of(signed_distance(p)); }

bool Line::on_segment(Point p) const {
  if (extend_) return true;
  const float t = dot(along_, p - a_) / (length_ * length_);
  return t >= 0 && t <= 1;
}

std::optional<Crossing> Line::advance(State& state, const Step& step) const {
  const float before = signed_distance(step.from), after = signed_distance(step.to);
  if (!std::isfinite(before - after)) return std::nullopt;
  if (side_of(before) != side_of(after)) {
    const float t = before / (before - after);
    const Point at = {step.from.x + t * (step.to.x - step.from.x),
                      step.from.y + t * (step.to.y - step.from.y)};
    const auto elapsed = static_cast<double>(step.to_ns - step.from_ns);
    state.through = on_segment(at);
    state.last = {after > 0, at, step.from_ns + static_cast<int64_t>(elapsed * t)};
  }
  if (side_of(after) == state.side || std::abs(after) < step.margin) return std::nullopt;
  state.side = side_of(after);
  if (!state.through) return std::nullopt;
  state.through = false;
  return Crossing{after > 0, state.last.at, state.last.timestamp_ns};
}

float Line::distance(Point p) const {
  return extend_ ? std::abs(signed_distance(p)) : distance_to_segment(p, a_, b_);
}

Zone::Change Zone::begin(State& state, Point p, int64_t now_ns) const {
  state.inside = contains(corners_, p);
  state.entered_ns = now_ns;
  return stay_on(state, now_ns);
}

/// Report the entry once the stay is long enough.
Zone::Change Zone::stay_on(State& state, int64_t now_ns) const {
  if (!state.inside || state.reported || now_ns - state.entered_ns < least_dwell_ns_)
    return Change::kNone;
  state.reported = true;
  return Change::kEntered;
}

Zone::Change Zone::advance(State& state, const Step& step) const {
  if (contains(corners_, step.to) == state.inside) {
    state.other_since_ns = kNever;
    return stay_on(state, step.to_ns);
  }
  if (state.other_since_ns == kNever) state.other_since_ns = step.to_ns;
  const bool settled = step.to_ns - state.other_since_ns >= kSettledNs;
  if (!settled && distance_to_outline(corners_, step.to) < step.margin) return Change::kNone;
  const int64_t since = std::exchange(state.other_since_ns, kNever);
  state.inside = !state.inside;
  (state.inside ? state.entered_ns : state.left_ns) = since;
  if (state.inside) return stay_on(state, step.to_ns);
  return std::exchange(state.reported, false) ? Change::kLeft : Change::kNone;
}

}  // namespace tally
