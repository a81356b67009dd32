// From boxes of single frames to objects over time (ByteTrack, Zhang et al. 2022, arXiv 2110.06864,
// in seconds instead of frames, and blind to the class label).
#pragma once

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "assignment.h"
#include "motion.h"
#include "tally.h"
#include "times.h"

namespace tally {

/// Confidence-weighted vote of a track's life for its class.
class ClassVote {
 public:
  void add(int32_t class_id, float weight);
  /// The leader; a rival takes over only with a clear lead, so that labels do not flutter.
  int32_t leader() const { return leader_; }
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
  Box first;  // as first detected
  Box seen;   // as last detected
  int64_t before_ns = kNever;  // the frame before the first, in which it was not seen
  int64_t first_ns = 0;
  int64_t seen_ns = 0;  // last matched
  int64_t hits = 0;
  int64_t frames = 0;  // since it was first seen
  float confidence = 0;  // of the last match
  float confidence_sum = 0;
  bool confirmed = false;
  bool jumped = false;  // began as single sightings far apart
  bool merged = false;  // ended because it was an earlier track's

  float mean_confidence() const { return confidence_sum / static_cast<float>(hits); }

  template <typename Archive>
  void persist(Archive& archive) {
    archive(id, motion, vote, first, seen, before_ns, first_ns, seen_ns, hits,
            frames, confidence, confidence_sum,
            confirmed, jumped);
  }
};

/// Sightings that followed one another too far apart to be linked.
struct Unlinked {
  int64_t count = 0;
  double sizes_per_s = 0;  // of all together

  template <typename Archive>
  void persist(Archive& archive) {
    archive(count, sizes_per_s);
  }
};

class Tracker {
 public:
  explicit Tracker(const tally_counter_options& options) : options_(options) {}

  /// Match, start and drop tracks. Tracks seen now have `seen_ns == now_ns`.
  void update(int64_t now_ns, const std::vector<tally_detection>& detections);

  std::vector<Track>& tracks() { return tracks_; }
  const std::vector<Track>& tracks() const { return tracks_; }
  /// Tracks dropped by the last update.
  const std::vector<Track>& ended() const { return ended_; }

  const Unlinked& unlinked() const { return unlinked_; }
  void forget_unlinked() { unlinked_ = {}; }

  /// What outlives an update.
  template <typename Archive>
  void persist(Archive& archive) {
    archive(tracks_, frames_ns_, previous_ns_, next_id_, unlinked_);
  }
  /// Refuse a state that no sequence of updates up to `now_ns` leads to.
  void check_state(int64_t now_ns) const;

 private:
  /// In this order: known objects first, with everything that could be theirs.
  enum class Stage {
    kOverlap, kReach, kOverlapYoung, kOverlapLow, kRest, kOverlapNew, kReachYoung, kLeap
  };
  /// Which edges of the picture a box reaches.
  struct Edges {
    bool left, top, right, bottom;
    bool any() const { return left || top || right || bottom; }
  };

  void match(Stage stage);
  bool takes_part(const Track& track, Stage stage) const;
  bool takes_part(const tally_detection& detection, Stage stage) const;
  float cost(const Track& track, const tally_detection& detection, Stage stage) const;
  int64_t frame_before_ns() const;
  void absorb(Track& track, const tally_detection& detection);
  void confirm(Track& track) const;
  void link_jumps();
  void join(Track& first, Track& second, const tally_detection& detection);
  void start_tracks();
  void note_unlinked(const Box& box);
  void forget_old();
  void drop_tracks();
  template <typename Predicate>
  void end_where(const Predicate& over);
  bool leaving(const Track& track) const;
  Edges edges_of(const Box& box) const;

  tally_counter_options options_;
  std::vector<Track> tracks_;
  std::vector<Track> ended_;
  std::vector<tally_detection> detections_;
  std::vector<bool> used_;
  std::deque<int64_t> frames_ns_;  // of the last few frames
  int64_t now_ns_ = 0;
  int64_t previous_ns_ = 0;
  int64_t next_id_ = 1;
  Unlinked unlinked_;
};

}  // namespace tally
