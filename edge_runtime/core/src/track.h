// A track: one object over time, with its motion and the vote for its class.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "motion.h"
#include "times.h"

namespace tally {

/// Confidence-weighted majority vote over a track for its class.
class ClassVote {
 public:
  void add(int32_t class_id, float weight);
  /// The leader; a rival takes over only with a clear lead, so that labels do not flicker.
  int32_t leader() const { return leader_; }
  /// The leader, or a wanted class that has enough of its weight; `current` is what the object is
  /// called now, which it keeps for less. All classes are wanted if `wanted` is empty.
  int32_t leader(const std::vector<bool>& wanted, int32_t current) const;
  bool only_of(int32_t num_classes) const;

  template <typename Archive>
  void persist(Archive& archive) {
    archive(weights_, leader_);
  }

 private:
  float weight_of(int32_t class_id) const;
  std::vector<std::pair<int32_t, float>> weights_;
  int32_t leader_ = -1;
};

struct Track {
  int64_t id = 0;
  Motion motion;
  ClassVote vote;
  Box first;                   // as first detected
  Box seen;                    // as last detected
  int64_t before_ns = kNever;  // the frame before the first, in which it was not seen
  int64_t first_ns = 0;
  int64_t seen_ns = 0;  // last matched
  int64_t hits = 0;
  int64_t frames = 0;    // since it was first seen
  float confidence = 0;  // of the last match
  float confidence_sum = 0;
  bool confirmed = false;
  bool far_apart = false;     // started as single detections far apart
  bool crowded = false;       // was linked without overlap while others were as near
  Box still;                  // where it has been standing,
  int64_t still_ns = kNever;  // since then
  int32_t overlaps = 0;       // matches in which it overlapped where it was before
  int32_t cell = -1;          // of the traffic's grid, where it was last counted
  bool merged = false;        // ended because it belonged to an earlier track

  float mean_confidence() const { return confidence_sum / static_cast<float>(hits); }

  template <typename Archive>
  void persist(Archive& archive) {
    archive(id, motion, vote, first, seen, before_ns, first_ns, seen_ns, hits, frames, confidence,
            confidence_sum, confirmed, far_apart);
    if (archive.version() >= 2) archive(crowded, still, still_ns, overlaps, cell);
  }
};

}  // namespace tally
