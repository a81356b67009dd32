// Detections of single frames to tracks over time (ByteTrack, Zhang et al. 2022, arXiv 2110.06864,
// in seconds instead of frames, and regardless of the class label).
#pragma once

#include <cstdint>
#include <vector>

#include "matching.h"
#include "tally.h"
#include "track.h"

namespace tally {

/// Detections in consecutive frames that were too far apart to be linked.
struct Unlinked {
  int64_t count = 0;
  double sizes_per_s = 0;  // sum over all of them

  template <typename Archive>
  void persist(Archive& archive) {
    archive(count, sizes_per_s);
  }
};

class Tracker {
 public:
  explicit Tracker(const tally_counter_options& options);

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
    if (archive.version() >= 2) archive(traffic_);
  }
  /// Refuse a state that no sequence of updates up to `now_ns` leads to.
  void check_state(int64_t now_ns) const;

 private:
  void match(const Stage& stage);
  MatchingFrame frame() const {
    return {options_, now_ns_, frame_before_ns(), traffic_, detections_};
  }
  int64_t frame_before_ns() const;
  void absorb(Track& track, const tally_detection& detection);
  void confirm(Track& track) const;
  bool is_doubtful(const Track& track) const;
  bool is_repeated(const Box& box) const;
  void learn_traffic(float dt);
  void link_fast_objects();
  void join(Track& first, Track& second, const tally_detection& detection);
  void start_tracks();
  void note_unlinked(const Box& box);
  void drop_lost();
  void drop_tracks();
  template <typename Predicate>
  void end_where(const Predicate& over);

  tally_counter_options options_;
  std::vector<Track> tracks_;
  std::vector<Track> ended_;
  std::vector<tally_detection> detections_;
  std::vector<bool> used_;
  std::vector<int64_t> frames_ns_;  // of the last few frames, this one included
  int64_t now_ns_ = 0;
  int64_t previous_ns_ = 0;
  int64_t next_id_ = 1;
  Unlinked unlinked_;
  Traffic traffic_;
};

}  // namespace tally
