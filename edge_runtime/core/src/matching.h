// The stages in which tracks and detections are matched, and what a match costs.
#pragma once

#include "frame_edge.h"
#include "tally.h"
#include "track.h"
#include "traffic.h"

namespace tally {

/// Which tracks take part in a stage. A track is tentative until it is confirmed and lost while it
/// is not seen; a track that an earlier stage matched never takes part.
enum class Who {
  kConfirmed,
  kConfirmedLeaving,          // the frame, over an edge
  kConfirmedInPreviousFrame,  // seen in it
  kSeenTwice,                 // confirmed, or tentative with a known motion
  kSeenTwiceRecently,
  kSeenOnce,    // tentative, motion unknown
  kRemembered,  // was standing when it was lost, longer ago than others are kept
  kAll          // but those that are only remembered
};

/// Which detections take part: ByteTrack's high and low scores.
enum class Score { kHigh, kLow };

/// How well a detection fits a track.
enum class Cost {
  kIou,               // overlap with the expected box
  kDistance,          // of the centers, within what the motion's uncertainty allows
  kCutAtEdge,         // the detection is what is left of the expected box at the frame's edge
  kLongDisplacement,  // of the centers since the last frame, only where nothing else is near
  kStandsThere,       // overlap with where it was standing
};

struct Stage {
  Who who;
  Score score;
  Cost cost;
  float gate;  // a pair needs more than this: IoU, or share of the detection inside
};

/// What the stages are judged by.
struct MatchingFrame {
  const tally_counter_options& options;
  int64_t now_ns;
  int64_t previous_ns;  // time of the frame before; kNever in the first
  const Traffic& traffic;
  const std::vector<tally_detection>& detections;
};

/// Cost of a pair that may not match; every other cost is lower.
inline constexpr float kNoMatch = 1.0f;

bool takes_part(const Track& track, const Stage& stage, const MatchingFrame& frame);
bool takes_part(const tally_detection& detection, const Stage& stage, const MatchingFrame& frame);
/// Cost of a pair; `expected` is the track's box in this frame, which all its pairs share.
float cost_of(const Track& track, const Box& expected, const tally_detection& detection,
              const Stage& stage, const MatchingFrame& frame);

/// The part of the frame that every detection touches whose cost is below kNoMatch.
Box reach_of(const Track& track, const Box& expected, const Stage& stage);

/// Whether other detections are as near to `box` as the next one of a fast object.
bool is_crowded(const Box& box, const std::vector<tally_detection>& detections);
/// Whether the object was standing when it was last seen.
bool is_standing(const Track& track);
/// Whether the track is of a standing object that was lost longer ago than others are kept.
bool is_remembered(const Track& track, const MatchingFrame& frame);
/// Whether a detection overlaps where the track was last seen: surely the same object.
bool overlaps(const Track& track, const Box& seen);
/// Whether a step of the track to `seen` goes against the traffic, and not the track's known way.
bool opposes_traffic(const Track& track, const Box& seen, const Traffic& traffic);

/// Whether two boxes may be of one object between two frames, by their sides.
bool similar_sides(const Box& a, const Box& b);
/// Whether the object leaves the frame, or has left it.
bool is_leaving(const Track& track, const MatchingFrame& frame);

inline Box box_of(const tally_detection& d) { return {d.x1, d.y1, d.x2, d.y2}; }

}  // namespace tally
