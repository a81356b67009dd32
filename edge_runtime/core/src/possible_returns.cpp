#include "exact_floats.h"

#include "possible_returns.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "state.h"
#include "times.h"

namespace tally {
namespace {

constexpr float kMaxDistance = 1.5f;  // in sizes of the larger box
constexpr float kMaxRatio = 1.5f;     // of the sizes
constexpr float kMinSide = 1e-3f;     // pixels
constexpr size_t kFirstCapacity = 256;
constexpr int64_t kNobody = -1;

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

}  // namespace

PossibleReturns::PossibleReturns(int32_t num_classes, float remember_s)
    : remember_ns_(std::llround(remember_s * 1e9)),
      numbers_(std::max(num_classes, 0)) {}

void PossibleReturns::note(int64_t now_ns, const std::vector<tally_track>& tracks) {
  if (!starts_.empty() || !returns_.empty())
    for (const tally_track& track : tracks) {
      const auto start = starts_.find(track.track_id);
      if (start != starts_.end())
        appear(track, start->second);
      else if (!resume(track.track_id))
        continue;
      add(track.track_id, now_ns);
    }
  starts_.clear();
  for (const tally_track& track : tracks) {
    const auto row = row_of_.find(track.track_id);
    if (row == row_of_.end()) continue;
    rows_[row->second] = {track.track_id, now_ns,   track.class_id, track.x1,
                          track.y1,       track.x2, track.y2};
  }
}

void PossibleReturns::appear(const tally_track& track, int64_t start_ns) {
  size_t best = rows_.size();
  float least = std::numeric_limits<float>::infinity();
  for (size_t i = 0; i < rows_.size(); ++i) {
    const tally_seen& row = rows_[i];
    const int64_t age_ns = start_ns - row.timestamp_ns;
    if (row.track_id == kNobody || age_ns <= 0 || age_ns > remember_ns_) continue;
    if (row.class_id != track.class_id) continue;
    const float apart = distance(row, track);
    if (apart >= least) continue;
    best = i;
    least = apart;
  }
  if (least > kMaxDistance) return;
  const int64_t lost = remove(best);
  returns_[lost] = {lost, track.track_id, start_ns, track.class_id};
  numbers_[track.class_id] += 1;
}

/// A track that was lost and has been found again: the object that was taken for it is another.
bool PossibleReturns::resume(int64_t track_id) {
  const auto wrong = returns_.find(track_id);
  if (wrong == returns_.end()) return false;
  numbers_[wrong->second.class_id] -= 1;
  returns_.erase(wrong);
  return true;
}

void PossibleReturns::reclassify(int64_t track_id, int32_t class_id) {
  for (auto& [lost, one] : returns_) {
    if (one.track_id != track_id) continue;
    numbers_[one.class_id] -= 1;
    numbers_[class_id] += 1;
    one.class_id = class_id;
  }
}

void PossibleReturns::add(int64_t track_id, int64_t now_ns) {
  if (free_.empty()) forget(now_ns);
  const size_t row = free_.back();
  free_.pop_back();
  row_of_[track_id] = row;
  rows_[row].track_id = track_id;
  rows_[row].timestamp_ns = now_ns;
}

/// Free a row; returns its track.
int64_t PossibleReturns::remove(size_t row) {
  const int64_t track_id = rows_[row].track_id;
  rows_[row].track_id = kNobody;
  row_of_.erase(track_id);
  free_.push_back(row);
  return track_id;
}

/// Drop what is too old, and double the rows if few are free then.
void PossibleReturns::forget(int64_t now_ns) {
  const int64_t since_ns = now_ns - remember_ns_;
  for (auto one = returns_.begin(); one != returns_.end();)
    one = one->second.timestamp_ns < since_ns ? returns_.erase(one) : std::next(one);
  for (size_t i = 0; i < rows_.size(); ++i)
    if (rows_[i].track_id != kNobody && rows_[i].timestamp_ns < since_ns) remove(i);
  const size_t size = rows_.size();
  if (free_.size() > size / 2) return;
  rows_.resize(size + std::max(size, kFirstCapacity), {kNobody, 0, 0, 0, 0, 0, 0});
  for (size_t i = size; i < rows_.size(); ++i) free_.push_back(i);
}

void PossibleReturns::clear() {
  std::fill(numbers_.begin(), numbers_.end(), 0);
  rows_.clear();
  row_of_.clear();
  free_.clear();
  returns_.clear();
  starts_.clear();
}

std::vector<tally_seen> PossibleReturns::seen() const {
  std::vector<tally_seen> found;
  std::copy_if(rows_.begin(), rows_.end(), std::back_inserter(found),
               [](const tally_seen& row) { return row.track_id != kNobody; });
  return found;
}

std::vector<tally_return> PossibleReturns::returns() const {
  std::vector<tally_return> found;
  found.reserve(returns_.size());
  for (const auto& [lost, one] : returns_) found.push_back(one);
  return found;
}

void PossibleReturns::check(const tally_seen& row) const {
  require_state(row.track_id > kNobody && is_time(row.timestamp_ns) && has_class(row.class_id),
                "an object that was seen is out of range");
  const float sum = row.x1 + row.y1 + row.x2 + row.y2;
  require_state(std::isfinite(sum), "the box of an object that was seen is not finite");
}

void PossibleReturns::check(const tally_return& one) const {
  require_state(one.lost_track_id > kNobody && one.track_id > kNobody &&
                    is_time(one.timestamp_ns) && has_class(one.class_id),
                "a possible return is out of range");
}

void PossibleReturns::restore(const std::vector<int64_t>& numbers,
                              const std::vector<tally_seen>& seen,
                              const std::vector<tally_return>& returns) {
  require_state(numbers.size() == numbers_.size(), "the numbers are of other classes");
  for (const int64_t number : numbers)
    require_state(number >= 0 && number < kFarthestNs, "a number is out of range");
  std::unordered_map<int64_t, size_t> row_of;
  for (const tally_seen& row : seen) {
    check(row);
    require_state(row_of.emplace(row.track_id, row_of.size()).second, "a track was seen twice");
  }
  std::map<int64_t, tally_return> by_lost;
  for (const tally_return& one : returns) {
    check(one);
    by_lost[one.lost_track_id] = one;
  }
  clear();
  numbers_ = numbers;
  rows_ = seen;
  row_of_ = std::move(row_of);
  returns_ = std::move(by_lost);
}

}  // namespace tally
