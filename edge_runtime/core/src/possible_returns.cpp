#include "exact_floats.h"

#include "possible_returns.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sort.h"
#include "state.h"
#include "times.h"

namespace tally {
namespace {

constexpr float kMaxDistance = 1.5f;  // in sizes of the larger box
constexpr float kMaxRatio = 1.5f;     // of the sizes
constexpr float kMinSide = 1e-3f;     // pixels
constexpr size_t kFirstCapacity = 256;

template <typename Boxed>
float size_of(const Boxed& box) {
  return std::sqrt(std::max(box.x2 - box.x1, kMinSide) * std::max(box.y2 - box.y1, kMinSide));
}

/// Distance of the centers in sizes of the larger box; infinite for boxes of other sizes.
float distance(const tally_seen& seen, const tally_track& track) {
  const float before = size_of(seen), now = size_of(track);
  const float larger = std::max(before, now);
  if (larger > kMaxRatio * std::min(before, now)) return std::numeric_limits<float>::infinity();
  const float x = (seen.x1 + seen.x2 - track.x1 - track.x2) / 2;
  const float y = (seen.y1 + seen.y2 - track.y1 - track.y2) / 2;
  return std::sqrt(x * x + y * y) / larger;
}

tally_seen seen_now(const tally_track& track, int64_t now_ns) {
  return {track.track_id, now_ns, track.class_id, track.x1, track.y1, track.x2, track.y2};
}

/// Where the object of a track is in their order, or would be.
size_t place_of(const std::vector<tally_seen>& seen, int64_t track_id) {
  const auto before = [](const tally_seen& one, int64_t id) { return one.track_id < id; };
  return std::lower_bound(seen.begin(), seen.end(), track_id, before) - seen.begin();
}

bool is_at(const std::vector<tally_seen>& seen, size_t place, int64_t track_id) {
  return place < seen.size() && seen[place].track_id == track_id;
}

int by_track(const void* left, const void* right) {
  const int64_t a = static_cast<const tally_seen*>(left)->track_id;
  const int64_t b = static_cast<const tally_seen*>(right)->track_id;
  return static_cast<int>(a > b) - static_cast<int>(a < b);
}

template <typename Item>
void drop_before(std::vector<Item>& items, int64_t since_ns) {
  const auto is_old = [since_ns](const Item& one) { return one.timestamp_ns < since_ns; };
  items.erase(std::remove_if(items.begin(), items.end(), is_old), items.end());
}

template <typename Item>
void erase_at(std::vector<Item>& items, size_t place) {
  items.erase(items.begin() + static_cast<std::ptrdiff_t>(place));
}

}  // namespace

PossibleReturns::PossibleReturns(int32_t num_classes, float remember_s)
    : remember_ns_(std::llround(remember_s * 1e9)),
      numbers_(std::max(num_classes, 0)),
      forget_at_(kFirstCapacity) {}

void PossibleReturns::note(int64_t now_ns, const std::vector<tally_track>& tracks) {
  if (!starts_.empty() || !returns_.empty())
    for (const tally_track& track : tracks) {
      const auto start = std::find_if(starts_.begin(), starts_.end(),
                                      [&](const auto& one) { return one.first == track.track_id; });
      if (start != starts_.end())
        appear(track, start->second);
      else if (!resume(track.track_id))
        continue;
      add(track, now_ns);
    }
  starts_.clear();
  for (const tally_track& track : tracks) {
    const size_t place = place_of(seen_, track.track_id);
    if (is_at(seen_, place, track.track_id)) seen_[place] = seen_now(track, now_ns);
  }
}

void PossibleReturns::appear(const tally_track& track, int64_t start_ns) {
  size_t best = 0;
  float least = std::numeric_limits<float>::infinity();
  for (size_t i = 0; i < seen_.size(); ++i) {
    const int64_t age_ns = start_ns - seen_[i].timestamp_ns;
    if (age_ns <= 0 || age_ns > remember_ns_ || seen_[i].class_id != track.class_id) continue;
    const float apart = distance(seen_[i], track);
    if (apart >= least) continue;
    best = i;
    least = apart;
  }
  if (least > kMaxDistance) return;
  const int64_t lost = seen_[best].track_id;
  erase_at(seen_, best);
  returns_.push_back({lost, track.track_id, start_ns, track.class_id});
  numbers_[track.class_id] += 1;
}

/// A track that was lost and has been found again: the object that was taken for it is another.
bool PossibleReturns::resume(int64_t track_id) {
  for (size_t i = 0; i < returns_.size(); ++i) {
    if (returns_[i].lost_track_id != track_id) continue;
    numbers_[returns_[i].class_id] -= 1;
    erase_at(returns_, i);
    return true;
  }
  return false;
}

void PossibleReturns::reclassify(int64_t track_id, int32_t class_id) {
  for (tally_return& one : returns_) {
    if (one.track_id != track_id) continue;
    numbers_[one.class_id] -= 1;
    numbers_[class_id] += 1;
    one.class_id = class_id;
  }
}

void PossibleReturns::add(const tally_track& track, int64_t now_ns) {
  if (seen_.size() >= forget_at_) forget(now_ns);
  const size_t place = place_of(seen_, track.track_id);
  if (!is_at(seen_, place, track.track_id))
    seen_.insert(seen_.begin() + static_cast<std::ptrdiff_t>(place), seen_now(track, now_ns));
}

/// Drop what is too old; again when there are twice as many.
void PossibleReturns::forget(int64_t now_ns) {
  const int64_t since_ns = now_ns - remember_ns_;
  drop_before(returns_, since_ns);
  drop_before(seen_, since_ns);
  forget_at_ = std::max(2 * seen_.size(), kFirstCapacity);
}

void PossibleReturns::clear() {
  std::fill(numbers_.begin(), numbers_.end(), 0);
  seen_.clear();
  returns_.clear();
  starts_.clear();
}

void PossibleReturns::check(const tally_seen& row) const {
  require_state(row.track_id >= 0 && is_time(row.timestamp_ns) && has_class(row.class_id),
                "an object that was seen is out of range");
  const float sum = row.x1 + row.y1 + row.x2 + row.y2;
  require_state(std::isfinite(sum), "the box of an object that was seen is not finite");
}

void PossibleReturns::check(const tally_return& one) const {
  require_state(one.lost_track_id >= 0 && one.track_id >= 0 && is_time(one.timestamp_ns) &&
                    has_class(one.class_id),
                "a possible return is out of range");
}

void PossibleReturns::restore(std::vector<int64_t> numbers, std::vector<tally_seen> seen,
                              std::vector<tally_return> returns) {
  require_state(numbers.size() == numbers_.size(), "the numbers are of other classes");
  for (const int64_t number : numbers)
    require_state(number >= 0 && number < kFarthestNs, "a number is out of range");
  for (const tally_seen& one : seen) check(one);
  for (const tally_return& one : returns) check(one);
  sort_items(seen, by_track);
  for (size_t i = 1; i < seen.size(); ++i)
    require_state(seen[i - 1].track_id != seen[i].track_id, "a track was seen twice");
  clear();
  numbers_ = std::move(numbers);
  seen_ = std::move(seen);
  returns_ = std::move(returns);
}

}  // namespace tally
