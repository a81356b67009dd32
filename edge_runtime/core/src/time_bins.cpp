#include "exact_floats.h"

#include "time_bins.h"

#include <algorithm>
#include <limits>

#include "sort.h"
#include "state.h"

namespace tally {
namespace {

constexpr int32_t kMaxBins = 1 << 20;
constexpr int64_t kMinute = 60, kHour = 3600, kDay = 24 * kHour;

struct Width {
  int64_t age_s;
  int64_t width_s;
};
// By minimum age, oldest first. A chart of the whole count has 120 bars: no bin is wider than a
// bar, and each width divides those of the bars.
constexpr Width kWidths[] = {
    {30 * kDay, 6 * kHour}, {5 * kDay, kHour}, {kDay, 300}, {kHour, 30}, {0, 1}};

int64_t width_at(int64_t age_s) {
  for (const Width& one : kWidths)
    if (age_s >= one.age_s) return one.width_s;
  return 1;
}

int by_time_and_key(const void* left, const void* right) {
  const auto& a = *static_cast<const tally_bin*>(left);
  const auto& b = *static_cast<const tally_bin*>(right);
  if (a.start_s != b.start_s) return a.start_s < b.start_s ? -1 : 1;
  return static_cast<int>(a.key > b.key) - static_cast<int>(a.key < b.key);
}

bool is_before(const tally_bin& left, const tally_bin& right) {
  return by_time_and_key(&left, &right) < 0;
}

}  // namespace

tally_bins_options bins_defaults() {
  return {sizeof(tally_bins_options), TALLY_JOIN_MAX, static_cast<int32_t>(kDay)};
}

TimeBins::TimeBins(const tally_bins_options& options)
    : join_(options.join),
      maximum_(std::max(options.max_bins, 0)) {
  require(join_ == TALLY_JOIN_MAX || join_ == TALLY_JOIN_SUM, "join is not 0 or 1");
  require(options.max_bins >= 1 && options.max_bins <= kMaxBins, "max_bins is not 1 to 1048576");
}

void TimeBins::add(double time_s, const int32_t* keys, int32_t count) {
  require(count >= 0 && (keys != nullptr || count == 0), "keys are NULL");
  require(time_s >= 0 && time_s <= static_cast<double>(kMaxCount), "a time is out of range");
  require(count == 0 || *std::min_element(keys, keys + count) >= 0, "a key is below 0");
  const int64_t start_s = static_cast<int64_t>(time_s) / seconds_ * seconds_;
  for (int32_t i = 0; i < count; ++i) {
    if (std::find(keys, keys + i, keys[i]) != keys + i) continue;
    put({start_s, std::count(keys + i, keys + count, keys[i]), keys[i], 0});
  }
  limit();
}

/// Join a number with what is in its bin.
void TimeBins::put(const tally_bin& one) {
  const auto found = std::lower_bound(numbers_.begin(), numbers_.end(), one, is_before);
  if (found != numbers_.end() && !is_before(one, *found)) {
    found->number =
        join_ == TALLY_JOIN_SUM ? found->number + one.number : std::max(found->number, one.number);
    return;
  }
  const size_t place = found - numbers_.begin();
  if (!has_bin(place, one.start_s) && !has_bin(place - 1, one.start_s)) ++bins_;
  numbers_.insert(found, one);
}

/// Whether the number at `place`, which may be none, is in this bin.
bool TimeBins::has_bin(size_t place, int64_t start_s) const {
  return place < numbers_.size() && numbers_[place].start_s == start_s;
}

void TimeBins::limit() {
  while (bins_ > maximum_) {
    seconds_ *= 2;
    merged_to_s_ -= merged_to_s_ % seconds_;
    merge(false);
  }
}

/// Merge bins into the first one of the width of all, or of their age.
void TimeBins::merge(bool by_age) {
  const std::vector<tally_bin> narrow = numbers_;
  const int64_t now_s = narrow.empty() ? 0 : narrow.back().start_s;
  numbers_.clear();
  bins_ = 0;
  for (tally_bin one : narrow) {
    const int64_t width_s = by_age ? width_at(now_s - one.start_s) : 1;
    one.start_s -= one.start_s % (std::max<int64_t>(width_s / seconds_, 1) * seconds_);
    put(one);
  }
}

void TimeBins::compact() {
  const int64_t now_s = numbers_.empty() ? 0 : numbers_.back().start_s;
  if (now_s - merged_to_s_ < kMinute / seconds_ * seconds_) return;
  merged_to_s_ = now_s;
  merge(true);
}

void TimeBins::restore(int64_t seconds, std::vector<tally_bin> numbers) {
  require_state(seconds >= 1 && is_count(seconds), "the width of bins is out of range");
  for (const tally_bin& one : numbers) {
    require_state(is_count(one.start_s) && one.start_s % seconds == 0,
                  "the start of a bin is out of range");
    require_state(
        one.key >= 0 && one.number >= 0 && one.number <= std::numeric_limits<int32_t>::max(),
        "a number of a bin is out of range");
  }
  sort_items(numbers, by_time_and_key);
  numbers_.clear();
  bins_ = 0;
  seconds_ = seconds;
  for (const tally_bin& one : numbers) put(one);
  limit();
}

}  // namespace tally
