#include "exact_floats.h"

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
// Once its motion is known, an object moves no farther than this while unseen: it turns around at
// its own speed, or starts to walk (sizes per second).
constexpr int64_t kKnownHits = 5;
constexpr float kStartSpeed = 1.0f;
// Displacements that are not expected: at most this fast (sizes per second), less where others are
// near, and not against a motion of at least this speed.
constexpr float kMaxSpeed = 45.0f;
constexpr float kMaxSpeedInCrowd = 15.0f;
constexpr float kMovingSpeed = 1.0f;
// Overlap with the box before that makes a step one of the same object.
constexpr float kSureOverlap = 0.3f;
constexpr int32_t kSureOverlaps = 3;  // and so many of them make a motion known
// A crowd: this many detections of similar size, the object's own included, within this distance
// (sizes).
constexpr std::ptrdiff_t kCrowdSize = 3;
constexpr float kCrowd = 3.0f;
// Allowance for rounding in the part of the frame that is searched.
constexpr float kReach = 1.001f * kMaxDistance;
// An object stands after this many seconds in one place.
constexpr float kStandingTime = 0.8f;
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

float distance_cost(const Track& track, const Box& expected, const Box& seen, float unseen) {
  if (!similar_sides(expected, seen)) return kNoMatch;
  const float size = expected.size();
  const float limit = track.hits > 1 ? kMaxDistance : kMaxDistanceSeenOnce;
  float allowed =
      std::min(kDistanceBase * size + kDistanceSigmas * track.motion.uncertainty(), limit * size);
  if (track.hits > kKnownHits) {
    const float speed = kStartSpeed * size + length(track.motion.velocity());
    allowed = std::min(allowed, kDistanceBase * size + speed * unseen);
  }
  const float distance = length(seen.center() - expected.center());
  return distance < allowed ? distance / (kMaxDistance * size) : kNoMatch;
}

float cut_at_edge_cost(const Box& expected, const Box& seen, float gate, FrameSize frame) {
  const float inside = intersection(expected, seen) / seen.area();
  return sides_touched(seen, frame).any() && inside > gate ? 1 - inside : kNoMatch;
}

float long_displacement_cost(const Track& track, const Box& expected, const Box& seen,
                             const MatchingFrame& frame) {
  const float size = expected.size(), speed = length(track.motion.velocity());
  const Point step = seen.center() - track.seen.center();
  const float displacement = length(step) / (kMaxDistance * size);
  if (!similar_sides(expected, seen) || !(displacement < 1)) return kNoMatch;
  if (speed > kMovingSpeed * size && dot(step, track.motion.velocity()) < 0) return kNoMatch;
  const float fastest = is_crowded(seen, frame.detections) ? kMaxSpeedInCrowd : kMaxSpeed;
  const float unseen = seconds(frame.now_ns - track.seen_ns);
  if (length(seen.center() - expected.center()) > fastest * size * unseen) return kNoMatch;
  return displacement;
}

float fit_of(const Track& track, const Box& expected, const Box& seen, const Stage& stage,
             const MatchingFrame& frame) {
  const float unseen = seconds(frame.now_ns - track.seen_ns);
  switch (stage.cost) {
    case Cost::kIou: return iou_cost(expected, seen, stage.gate);
    case Cost::kDistance: return distance_cost(track, expected, seen, unseen);
    case Cost::kCutAtEdge:
      return cut_at_edge_cost(expected, seen, stage.gate, size_of(frame.options));
    case Cost::kLongDisplacement: return long_displacement_cost(track, expected, seen, frame);
    case Cost::kStandsThere: return iou_cost(track.still, seen, stage.gate);
  }
  return kNoMatch;
}

}  // namespace

bool similar_sides(const Box& a, const Box& b) {
  return similar(a.width(), b.width()) && similar(a.height(), b.height());
}

bool is_leaving(const Track& track, const MatchingFrame& frame) {
  return is_leaving(track.motion.box(), track.seen, track.motion.velocity(),
                    size_of(frame.options));
}

bool is_crowded(const Box& box, const std::vector<tally_detection>& detections) {
  const auto near = [&](const tally_detection& detection) {
    const Box other = box_of(detection);
    return similar(other.size(), box.size()) &&
           length(other.center() - box.center()) < kCrowd * box.size();
  };
  return std::count_if(detections.begin(), detections.end(), near) >= kCrowdSize;
}

bool is_standing(const Track& track) {
  return track.confirmed && track.still_ns != kNever &&
         seconds(track.seen_ns - track.still_ns) >= kStandingTime;
}

bool is_remembered(const Track& track, const MatchingFrame& frame) {
  return is_standing(track) && seconds(frame.now_ns - track.seen_ns) > frame.options.lost_s;
}

bool overlaps(const Track& track, const Box& seen) { return iou(track.seen, seen) > kSureOverlap; }

bool opposes_traffic(const Track& track, const Box& seen, const Traffic& traffic) {
  const Point step = seen.center() - track.seen.center();
  if (track.overlaps >= kSureOverlaps && dot(step, track.motion.velocity()) > 0) return false;
  return traffic.opposes(track.seen.center(), seen.center());
}

Box reach_of(const Track& track, const Box& expected, const Stage& stage) {
  const auto around = [&](Point center) -> Box {
    const float reach = kReach * expected.size();
    return {center.x - reach, center.y - reach, center.x + reach, center.y + reach};
  };
  switch (stage.cost) {
    case Cost::kDistance: return around(expected.center());
    case Cost::kLongDisplacement: return around(track.seen.center());
    case Cost::kStandsThere: return track.still;
    case Cost::kIou:
    case Cost::kCutAtEdge: return expected;
  }
  return expected;
}

bool takes_part(const Track& track, const Stage& stage, const MatchingFrame& frame) {
  if (track.seen_ns == frame.now_ns) return false;  // matched by an earlier stage
  if (is_remembered(track, frame)) return stage.who == Who::kRemembered;
  switch (stage.who) {
    case Who::kConfirmed: return track.confirmed;
    case Who::kConfirmedLeaving: return track.confirmed && is_leaving(track, frame);
    case Who::kConfirmedInPreviousFrame:
      return track.confirmed && track.seen_ns == frame.previous_ns;
    case Who::kSeenTwice: return track.hits > 1;
    case Who::kSeenTwiceRecently:
      return track.hits > 1 && seconds(frame.now_ns - track.seen_ns) < kLowScoreWindow;
    case Who::kSeenOnce: return track.hits == 1;
    case Who::kRemembered: return false;
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
  const float cost = fit_of(track, expected, seen, stage, frame);
  if (cost >= kNoMatch || stage.cost == Cost::kCutAtEdge || overlaps(track, seen)) return cost;
  return opposes_traffic(track, seen, frame.traffic) ? kNoMatch : cost;
}

}  // namespace tally
