#include "exact_floats.h"

#include "governor.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "handle.h"
#include "options.h"

namespace tally {
namespace {

constexpr int32_t kRates[] = {1, 2, 4};
constexpr int32_t kMaxSizes = 16;
constexpr double kDownS = 2;
constexpr double kUpS = 10;
constexpr double kMaxUpS = 640;
constexpr double kHeadroom = 0.7;  // of the budget, below which a step up is tried
constexpr double kUpShare = 0.9;   // of the time before a step up; single bursts are tolerated
constexpr double kBucketS = 0.5;   // measurements are the medians of such spans
constexpr size_t kMaxBucket = 4096;
constexpr size_t kMaxTold = 256;
constexpr size_t kTypical = 4;  // medians that a change is explained by
constexpr double kCoolS = 10;   // cooler for this long before a step of heat is returned
constexpr double kWarmHeadroom = 0.95;

double median(std::vector<double> values) {
  const size_t half = values.size() / 2;
  std::sort(values.begin(), values.end());
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

void check_limit(const char* name, double value) {
  if (value >= 0 && std::isfinite(value)) return;
  char message[80];
  std::snprintf(message, sizeof message, "%s is %.7g; use a number above 0, or 0 for none", name,
                value);
  throw StatusError(TALLY_INVALID_ARGUMENT, message);
}

}  // namespace

tally_governor_options governor_defaults() { return {sizeof(tally_governor_options), 1, 0.0, 0.0}; }

Governor::Governor(const tally_governor_options& options) : options_(options), wait_up_s_(kUpS) {
  require(options.num_sizes >= 1 && options.num_sizes <= kMaxSizes, "num_sizes is not 1 to 16");
  check_limit("budget_ms", options.budget_ms);
  check_limit("max_fps", options.max_fps);
  for (const int32_t rate : kRates) levels_.push_back({rate, 0});
  for (int32_t size = 1; size < options.num_sizes; ++size)
    levels_.push_back({levels_.back().rate, size});
}

size_t Governor::index() const {
  return std::min(at_ + static_cast<size_t>(heat_steps_), levels_.size() - 1);
}

int32_t Governor::wants(int64_t timestamp_ns) {
  cool_down(timestamp_ns);
  now_ns_ = timestamp_ns;
  const int32_t rate = levels_[index()].rate;
  // At rate 1 the source's own interval must not limit it: jitter would drop frames.
  const double own_s = rate > 1 ? limiter_.frame_s() * rate : 0;
  limiter_.interval_s = std::max(options_.max_fps > 0 ? 1 / options_.max_fps : 0.0, own_s);
  const bool due = limiter_.is_due(timestamp_ns);
  if (paused()) return TALLY_REASON_TOO_HOT;
  return due ? TALLY_REASON_NONE : TALLY_REASON_RATE;
}

// ---- latency ---------------------------------------------------------------------------------

void Governor::learn(int64_t timestamp_ns, double latency_ms) {
  require(latency_ms >= 0 && std::isfinite(latency_ms), "latency_ms is not 0 or more");
  if (options_.budget_ms == 0) return;
  const double now_s = static_cast<double>(timestamp_ns) / 1e9;
  if (!bucket_.empty() && now_s - bucket_s_ >= kBucketS) {
    medians_.push_back({bucket_s_, median(bucket_)});
    bucket_.clear();
    decide(now_s);
  }
  if (bucket_.empty()) bucket_s_ = now_s;
  if (bucket_.size() < kMaxBucket) bucket_.push_back(latency_ms);
}

void Governor::decide(double now_s) {
  const double longest_s = std::max(kDownS, wait_up_s_);
  while (medians_.size() > 1 && medians_[1].at_s <= now_s - longest_s)
    medians_.erase(medians_.begin());
  const double limit = options_.budget_ms;
  const double over = share(now_s, kDownS, [&](double ms) { return ms > limit; });
  const double under = share(now_s, wait_up_s_, [&](double ms) { return ms < limit * kHeadroom; });
  if (over == 1)
    step_down(now_s);
  else if (under >= kUpShare)
    step_up(now_s);
}

/// The fraction of the last `span_s` seconds for which it held; 0 in the first of them.
template <typename Holds>
double Governor::share(double now_s, double span_s, const Holds& holds) const {
  size_t recent = 0, held = 0;
  for (const Median& one : medians_) {
    if (one.at_s < now_s - span_s) continue;
    recent += 1;
    held += holds(one.latency_ms) ? 1 : 0;
  }
  const bool whole = recent > 1 && now_s - medians_.front().at_s >= span_s - kBucketS / 2;
  return whole ? static_cast<double>(held) / static_cast<double>(recent) : 0;
}

/// The latency that a change is explained by.
double Governor::typical_ms() const {
  std::vector<double> last;
  for (size_t i = medians_.size() - std::min(kTypical, medians_.size()); i < medians_.size(); ++i)
    last.push_back(medians_[i].latency_ms);
  return median(last);
}

void Governor::step_down(double now_s) {
  if (index() + 1 == levels_.size()) return;
  const bool bounced = went_up_ && now_s - went_up_s_ < wait_up_s_;
  wait_up_s_ = bounced ? std::min(2 * wait_up_s_, kMaxUpS) : kUpS;
  went_up_ = false;
  at_ += 1;
  tell(TALLY_REASON_OVER_BUDGET, typical_ms());
}

void Governor::step_up(double now_s) {
  if (at_ == 0 || heat_steps_ > 0) return;
  went_up_s_ = now_s;
  went_up_ = true;
  at_ -= 1;
  tell(TALLY_REASON_UNDER_BUDGET, typical_ms());
}

// ---- heat ------------------------------------------------------------------------------------

int32_t Governor::wanted_heat_steps() const {
  if (thermal_ >= TALLY_THERMAL_SEVERE) return 2;
  return thermal_ == TALLY_THERMAL_MODERATE || headroom_ >= kWarmHeadroom ? 1 : 0;
}

int32_t Governor::heat_reason() const {
  if (paused()) return TALLY_REASON_TOO_HOT;
  if (thermal_ == TALLY_THERMAL_SEVERE) return TALLY_REASON_HOT;
  return thermal_ == TALLY_THERMAL_MODERATE ? TALLY_REASON_WARM : TALLY_REASON_HEADROOM;
}

void Governor::set_thermal(int32_t thermal) {
  require(thermal >= TALLY_THERMAL_NONE && thermal <= TALLY_THERMAL_SHUTDOWN,
          "thermal is not a tally_thermal");
  const bool was_paused = paused();
  thermal_ = thermal;
  heat_changed(was_paused);
}

void Governor::set_headroom(double headroom) {
  headroom_ = headroom;
  heat_changed(paused());
}

/// Heat takes its steps at once; `cool_down` returns them.
void Governor::heat_changed(bool was_paused) {
  const int32_t wanted = wanted_heat_steps();
  if (wanted >= heat_steps_) warm_ns_ = now_ns_;
  const bool hotter = wanted > heat_steps_ || (paused() && !was_paused);
  if (!hotter && paused() == was_paused) return;
  const size_t before = index();
  heat_steps_ = std::max(heat_steps_, wanted);
  if (index() != before || paused() != was_paused)
    tell(hotter ? heat_reason() : static_cast<int32_t>(TALLY_REASON_COOLER), 0);
}

void Governor::cool_down(int64_t timestamp_ns) {
  if (heat_steps_ == 0) return;
  if (wanted_heat_steps() >= heat_steps_ || timestamp_ns < warm_ns_) {
    warm_ns_ = timestamp_ns;
  } else if (seconds_between(warm_ns_, timestamp_ns) >= kCoolS) {
    const size_t before = index();
    now_ns_ = warm_ns_ = timestamp_ns;
    heat_steps_ -= 1;
    if (index() != before) tell(TALLY_REASON_COOLER, 0);
  }
}

// ---- reporting ----------------------------------------------------------------------------

void Governor::tell(int32_t reason, double latency_ms) {
  // Latencies of another level say nothing about this one.
  medians_.clear();
  bucket_.clear();
  count_ += 1;
  lowest_ = std::max(lowest_, index());
  if (told_.size() == kMaxTold) told_.erase(told_.begin());
  told_.push_back({now_ns_, latency_ms, reason, paused() ? 1 : 0, levels_[index()]});
}

tally_governor_state Governor::state() const {
  return {sizeof(tally_governor_state), paused() ? 1 : 0, levels_[index()], levels_[lowest_],
          count_};
}

}  // namespace tally
