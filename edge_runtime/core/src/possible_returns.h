// Objects that may be counted twice: a similar one was lost near there a short time earlier.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "tally.h"

namespace tally {

/// Counts the objects that could be the same as one that was counted before in this period.
///
/// An object that leaves the frame, or is lost for too long, gets a new number when it returns. A
/// new object could be the same if one of its class and a similar size was last seen near there at
/// most `remember_s` earlier. Each lost object returns at most once.
class PossibleReturns {
 public:
  PossibleReturns(int32_t num_classes, float remember_s);

  /// An object is confirmed in this frame; it was first seen at `start_ns`.
  void start(int64_t track_id, int64_t start_ns) { starts_.emplace_back(track_id, start_ns); }
  void reclassify(int64_t track_id, int32_t class_id);
  /// The confirmed tracks of a frame, after `start` and `reclassify` for its events.
  void note(int64_t now_ns, const std::vector<tally_track>& tracks);
  /// A period has ended, and no object is counted again.
  void clear();

  /// How many objects of each class could be.
  const std::vector<int64_t>& numbers() const { return numbers_; }
  const std::vector<tally_seen>& seen() const { return seen_; }
  const std::vector<tally_return>& returns() const { return returns_; }
  /// Resume from what the three above gave; unchanged if it is refused.
  void restore(std::vector<int64_t> numbers, std::vector<tally_seen> seen,
               std::vector<tally_return> returns);

 private:
  void appear(const tally_track& track, int64_t start_ns);
  bool resume(int64_t track_id);
  void add(const tally_track& track, int64_t now_ns);
  void forget(int64_t now_ns);
  bool has_class(int32_t id) const { return id >= 0 && static_cast<size_t>(id) < numbers_.size(); }
  void check(const tally_seen& row) const;
  void check(const tally_return& one) const;

  int64_t remember_ns_;
  std::vector<int64_t> numbers_;
  // Where and when each object that was confirmed in this period was seen last, by track.
  std::vector<tally_seen> seen_;
  size_t forget_at_;                                 // so many that old ones are dropped
  std::vector<tally_return> returns_;                // by the track of the object before
  std::vector<std::pair<int64_t, int64_t>> starts_;  // track and when it was first seen
};

}  // namespace tally
