#include "matching.h"

#include <algorithm>

namespace tally {
namespace {

// Seconds unseen after which low-score detections are not trusted to be a track.
constexpr float kLowScoreWindow = 0.3f;
// A center may be this far from where it is expected: a base and standard deviations of the motion
// (in sizes, in sigmas), up to a maximum (in sizes).
constexpr float kDistanceBase = 0.3f;
constexpr float kDistanceSigmas = 2.0f;
constexpr float kMaxDistance = 3.0f;
constexpr float kMaxDistanceSeenOnce = 1.5f;  // the motion of a track seen once is unknown
// An object does not double a side while it is unseen.
constexpr float kSizeRatio = 2.0f;

bool similar(float a, float b) { return a < kSizeRatio * b && b < kSizeRatio * a; }

FrameSize size_of(const tally_counter_options& options) {
  return {static_cast<float>(options.frame_width), static_cast<float>(options.frame_height)};
}

float iou_cost(const Box& expected, const Box& seen, float gate) {
  const float overlap = iou(expected, seen);
  return overlap > gate ? 1 - overlap : kNoMatch;
}

float distance_cost(const Track& track, const Box& expected, const Box& seen) {
  if (!similar_sides(expected, seen)) return kNoMatch;
  const float size = expected.size();
  const float limit = track.hits > 1 ? kMaxDistance : kMaxDistanceSeenOnce;
  const float allowed =
      std::min(kDistanceBase * size + kDistanceSigmas * track.motion.uncertainty(), limit * size);
  const float distance = length(seen.center() - expected.center());
  return distance < allowed ? distance / (kMaxDistance * size) : kNoMatch;
}

float cut_at_edge_cost(const Box& expected, const Box& seen, float gate, FrameSize frame) {
  const float inside = intersection(expected, seen) / seen.area();
  return sides_touched(seen, frame).any() && inside > gate ? 1 - inside : kNoMatch;
}

float long_displacement_cost(const Track& track, const Box& expected, const Box& seen) {
  const float displacement =
      length(seen.center() - track.seen.center()) / (kMaxDistance * expected.size());
  return similar_sides(expected, seen) && displacement < 1 ? displacement : kNoMatch;
}

}  // namespace

bool similar_sides(const Box& a, const Box& b) {
  return similar(a.width(), b.width()) && similar(a.height(), b.height());
}

bool is_leaving(const Track& track, const MatchingFrame& frame) {
  return is_leaving(track.motion.box(), track.seen, track.motion.velocity(),
                    size_of(frame.options));
}

bool takes_part(const Track& track, const Stage& stage, const MatchingFrame& frame) {
  if (track.seen_ns == frame.now_ns) return false;  // matched by an earlier stage
  switch (stage.who) {
    case Who::kConfirmed: return track.confirmed;
    case Who::kConfirmedLeaving: return track.confirmed && is_leaving(track, frame);
    case Who::kConfirmedInPreviousFrame:
      return track.confirmed && track.seen_ns == frame.previous_ns;
    case Who::kSeenTwice: return track.hits > 1;
    case Who::kSeenTwiceRecently:
      return track.hits > 1 && seconds(frame.now_ns - track.seen_ns) < kLowScoreWindow;
    case Who::kSeenOnce: return track.hits == 1;
    case Who::kAll: return true;
  }
  return false;
}

bool takes_part(const tally_detection& detection, const Stage& stage, const MatchingFrame& frame) {
  const bool high = detection.confidence >= frame.options.high_confidence;
  return high == (stage.score == Score::kHigh);
}

float cost_of(const Track& track, const Box& expected, const tally_detection& detection,
              const Stage& stage, const MatchingFrame& frame) {
  const Box seen = box_of(detection);
  switch (stage.cost) {
    case Cost::kIou: return iou_cost(expected, seen, stage.gate);
    case Cost::kDistance: return distance_cost(track, expected, seen);
    case Cost::kCutAtEdge:
      return cut_at_edge_cost(expected, seen, stage.gate, size_of(frame.options));
    case Cost::kLongDisplacement: return long_displacement_cost(track, expected, seen);
  }
  return kNoMatch;
}

}  // namespace tally
