// Why a counter's totals are zero, or smaller than expected.
#include "exact_floats.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "counter.h"

namespace tally {
namespace {

using Totals = std::vector<int64_t>;

bool any(const Totals& totals) {
  return std::any_of(totals.begin(), totals.end(), [](int64_t total) { return total != 0; });
}

tally_finding of(tally_cause cause) {
  tally_finding finding{};
  finding.cause = cause;
  finding.rule = finding.region = -1;
  return finding;
}

/// A finding that names the classes with the highest totals.
tally_finding of(tally_cause cause, Totals totals) {
  tally_finding finding = of(cause);
  for (int32_t& n = finding.num_classes; n < static_cast<int32_t>(std::size(finding.totals)); ++n) {
    const auto most = std::max_element(totals.begin(), totals.end());
    if (most == totals.end() || *most <= 0) break;
    finding.class_ids[n] = static_cast<int32_t>(most - totals.begin());
    finding.totals[n] = std::exchange(*most, 0);
  }
  return finding;
}

}  // namespace

std::vector<tally_finding> Counter::findings() const {
  const tally_diagnostics facts = diagnostics();
  if (facts.frames == 0) return {of(TALLY_CAUSE_NO_FRAME)};
  std::vector<tally_finding> found;
  if (!any(unique_)) {
    found.push_back(why_nothing(facts));
  } else if (!any_wanted(unique_)) {
    found.push_back(of(TALLY_CAUSE_OTHER_OBJECTS, unique_));
  } else {
    for (size_t i = 0; i < regions_.size(); ++i) {
      const Totals totals = decisive(i);
      if (!any_wanted(totals)) found.push_back(why_zero(i, totals));
    }
  }
  const double seconds = static_cast<double>(now_ns_ - period_ns_) / 1e9;
  // At a rate that is high enough already, the cause is another: a missed detection, a cut.
  if (seconds * static_cast<double>(facts.needed_fps) > static_cast<double>(facts.frames - 1)) {
    found.push_back(of(TALLY_CAUSE_TOO_FAST));
    found.back().value = std::ceil(static_cast<double>(facts.needed_fps));
  }
  return found;
}

bool Counter::any_wanted(const Totals& totals) const {
  for (size_t id = 0; id < totals.size(); ++id)
    if (totals[id] != 0 && is_wanted(static_cast<int32_t>(id))) return true;
  return false;
}

tally_finding Counter::why_nothing(const tally_diagnostics& facts) const {
  if (!any(detected_)) return of(TALLY_CAUSE_NO_DETECTION);
  if (!any_wanted(detected_)) return of(TALLY_CAUSE_OTHER_DETECTIONS, detected_);
  if (facts.ignored != 0 && facts.ignored + facts.below_low_confidence == facts.detections)
    return of(TALLY_CAUSE_IGNORED);
  const bool tracked = facts.unconfirmed_tracks + facts.live_tracks != 0;
  return of(tracked ? TALLY_CAUSE_UNCONFIRMED : TALLY_CAUSE_WEAK);
}

tally_finding Counter::why_zero(size_t position, const Totals& decisive) const {
  const Region& region = regions_[position];
  tally_finding finding = of(TALLY_CAUSE_OTHERS_COUNTED, decisive);
  if (finding.num_classes == 0) {
    const float missed_by = region.missed_by();
    finding.cause = missed_by < 0 ? TALLY_CAUSE_NOTHING_NEAR : TALLY_CAUSE_MISSED;
    finding.value = std::max(missed_by, 0.0f);
  }
  finding.rule = static_cast<int32_t>(&region.rule() - region_rules().data());
  finding.region = regions_.index_at(position);
  return finding;
}

std::vector<int64_t> Counter::decisive(size_t position) const {
  const Region& region = regions_[position];
  const std::vector<tally_visit> inside = visits(position);
  Totals sum(options_.num_classes);
  for (int index = 0; region.rule().decisive >> index != 0; ++index) {
    if ((region.rule().decisive >> index & 1) == 0) continue;
    const Totals totals = region.total(index, inside);
    for (size_t id = 0; id < sum.size(); ++id) sum[id] += totals[id];
  }
  return sum;
}

}  // namespace tally
