#include "exact_floats.h"

#include "tracker.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "fast_objects.h"
#include "sparse_assignment.h"
#include "state.h"

namespace tally {
namespace {

// In this order: confirmed tracks choose first, among everything that could be theirs.
constexpr Stage kStages[] = {
    {Who::kConfirmed, Score::kHigh, Cost::kIou, 0.2f},
    {Who::kConfirmed, Score::kHigh, Cost::kDistance, 0},
    {Who::kSeenTwice, Score::kHigh, Cost::kIou, 0.2f},
    {Who::kSeenTwiceRecently, Score::kLow, Cost::kIou, 0.5f},  // low scores must fit well
    {Who::kConfirmedLeaving, Score::kHigh, Cost::kCutAtEdge, 0.7f},
    {Who::kSeenOnce, Score::kHigh, Cost::kIou, 0.3f},  // easily wrong: the motion is unknown
};
// After single detections far apart have been linked to fast objects.
constexpr Stage kStagesAfterLinking[] = {
    {Who::kAll, Score::kHigh, Cost::kDistance, 0},
    {Who::kConfirmedInPreviousFrame, Score::kHigh, Cost::kLongDisplacement, 0},
    // Passers-by are matched by now: what is left appears where an object was standing.
    {Who::kRemembered, Score::kHigh, Cost::kStandsThere, 0.5f},
};

// A tentative track is dropped when unseen for this many seconds, and for this many frames.
constexpr float kTentativeLost = 0.4f;
constexpr size_t kTentativeFrames = 3;
// A detection that overlaps a matched track more than this does not start another one. Nor does
// one inside a matched box (share of its area) with the same feet or head (share of the height).
constexpr float kSameObject = 0.7f;
constexpr float kPartInside = 0.85f;
constexpr float kPartEdge = 0.1f;
// A track seen in a smaller share of its frames is flicker of the detector, not an object.
constexpr float kMinSeenShare = 0.4f;
// Hits that confirm a track at any age, once it has moved this many sizes.
constexpr int64_t kFastHits = 4;
constexpr float kFastDistance = 2.0f;
// Hits that a track needs otherwise, or seconds: at 7 frames per second a false one is easily seen
// three times.
constexpr int64_t kMinHits = 5;
constexpr float kLongAge = 0.9f;
// From this mean confidence on, fewer hits and half of the time confirm a track.
constexpr float kSureConfidence = 0.85f;
// In a crowd, tracks that were linked without overlap wait for this many seconds until the traffic
// shows which way is right.
constexpr float kDoubtTime = 0.5f;
// An object stands while it overlaps one position more than this; seconds unseen after which one
// that stands is expected there, whatever its last motion.
constexpr float kStillOverlap = 0.4f;
constexpr float kStopTime = 0.2f;
// Objects show the traffic when matched by overlap this often, at this speed (sizes per
// second), after this distance (sizes).
constexpr int32_t kTrafficOverlaps = 3;
constexpr int32_t kMaxOverlaps = 1 << 30;  // more are not counted
constexpr float kTrafficSpeed = 0.5f;
constexpr float kTrafficDistance = 0.5f;

FrameSize size_of(const tally_counter_options& options) {
  return {static_cast<float>(options.frame_width), static_cast<float>(options.frame_height)};
}

/// Whether `part` is a cut box of the object in `whole`.
bool is_part_of(const Box& part, const Box& whole) {
  if (intersection(part, whole) < kPartInside * part.area()) return false;
  const float edge = kPartEdge * whole.height();
  return std::abs(part.y2 - whole.y2) < edge || std::abs(part.y1 - whole.y1) < edge;
}

}  // namespace

Tracker::Tracker(const tally_counter_options& options)
    : options_(options),
      traffic_(size_of(options)) {}

void Tracker::check_state(int64_t now_ns) const {
  require_state(previous_ns_ == now_ns && next_id_ > 0 && next_id_ < kFarthestNs,
                "the tracker's clock is out of range");
  require_state(frames_ns_.size() <= kTentativeFrames + 1 &&
                    std::all_of(frames_ns_.begin(), frames_ns_.end(), is_time),
                "the tracker's clock is out of range");
  require_state(unlinked_.count >= 0 && unlinked_.count < kFarthestNs, "a total is out of range");
  int64_t previous_id = 0;
  for (const Track& track : tracks_) {
    require_state(track.id > std::exchange(previous_id, track.id) && track.id < next_id_,
                  "tracks are not in order");
    require_state(is_time(track.first_ns) && track.first_ns <= track.seen_ns &&
                      track.seen_ns <= now_ns && track.frames > 0 && track.frames < kFarthestNs &&
                      (track.before_ns == kNever ||
                       (is_time(track.before_ns) && track.before_ns < track.first_ns)) &&
                      track.hits > 0 && track.hits < kFarthestNs &&
                      (track.still_ns == kNever ||
                       (is_time(track.still_ns) && track.still_ns <= track.seen_ns)) &&
                      track.overlaps >= 0 && track.overlaps <= kMaxOverlaps &&
                      Traffic::is_cell(track.cell),
                  "a track is out of range");
  }
}

void Tracker::update(int64_t now_ns, const std::vector<tally_detection>& detections) {
  const float dt = seconds(now_ns - previous_ns_);
  now_ns_ = now_ns;
  previous_ns_ = now_ns;
  ended_.clear();
  drop_lost();
  detections_ = detections;
  used_.assign(detections_.size(), false);
  for (Track& track : tracks_) {
    if (is_standing(track) && seconds(now_ns - track.seen_ns) > kStopTime) track.motion.stop();
    track.motion.predict(dt);
    track.frames += 1;
  }
  for (const Stage& stage : kStages) match(stage);
  link_fast_objects();
  for (const Stage& stage : kStagesAfterLinking) match(stage);
  start_tracks();
  drop_tracks();
  learn_traffic(dt);
}

int64_t Tracker::frame_before_ns() const {
  return frames_ns_.size() > 1 ? frames_ns_[frames_ns_.size() - 2] : kNever;
}

void Tracker::match(const Stage& stage) {
  const MatchingFrame frame = this->frame();
  const bool displaced = stage.cost == Cost::kLongDisplacement;
  const bool restarts = displaced || stage.cost == Cost::kStandsThere;
  std::vector<size_t> rows, columns;
  for (size_t i = 0; i < tracks_.size(); ++i)
    if (takes_part(tracks_[i], stage, frame)) rows.push_back(i);
  for (size_t j = 0; j < detections_.size(); ++j)
    if (!used_[j] && takes_part(detections_[j], stage, frame)) columns.push_back(j);
  if (rows.empty() || columns.empty()) return;
  std::vector<Box> boxes;
  boxes.reserve(columns.size());
  for (const size_t j : columns) boxes.push_back(box_of(detections_[j]));
  const BoxIndex index(boxes);
  std::vector<Pair> pairs;
  for (size_t r = 0; r < rows.size(); ++r) {
    const Track& track = tracks_[rows[r]];
    const Box expected = track.motion.box();
    index.near(reach_of(track, expected, stage), [&](size_t c) {
      const float cost = cost_of(track, expected, detections_[columns[c]], stage, frame);
      if (cost < kNoMatch) pairs.push_back({r, c, cost});
    });
  }
  if (displaced) keep_unambiguous(pairs, rows.size(), columns.size());
  const std::vector<int> column_of = assign(pairs, rows.size(), columns.size(), kNoMatch);
  for (size_t r = 0; r < rows.size(); ++r) {
    if (column_of[r] < 0) continue;
    const size_t j = columns[column_of[r]];
    used_[j] = true;
    Track& track = tracks_[rows[r]];
    const Box seen = box_of(detections_[j]);
    if (overlaps(track, seen))
      track.overlaps = std::min(track.overlaps, kMaxOverlaps - 1) + 1;
    else if (!track.confirmed)
      track.crowded |= is_crowded(seen, detections_);
    absorb(track, detections_[j]);
    if (restarts) tracks_[rows[r]].motion.start(box_of(detections_[j]));
  }
}

void Tracker::absorb(Track& track, const tally_detection& detection) {
  track.motion.correct(box_of(detection), sides_touched(box_of(detection), size_of(options_)));
  track.vote.add(detection.class_id, detection.confidence);
  track.seen = box_of(detection);
  track.seen_ns = now_ns_;
  if (track.still_ns == kNever || iou(track.motion.box(), track.still) < kStillOverlap) {
    track.still = track.motion.box();
    track.still_ns = now_ns_;
  }
  track.hits += 1;
  track.confidence = detection.confidence;
  track.confidence_sum += detection.confidence;
  confirm(track);
}

/// Whether a track linked where others were as near has yet to agree with the traffic.
bool Tracker::is_doubtful(const Track& track) const {
  if (!track.crowded) return false;
  const Point from = track.first.center(), to = track.seen.center();
  if (traffic_.knows(from, to)) return traffic_.opposes(from, to);
  return seconds(now_ns_ - track.first_ns) < options_.confirm_s + kDoubtTime;
}

/// By age; objects that cross the frame in less time, by the distance that they have moved.
void Tracker::confirm(Track& track) const {
  if (track.mean_confidence() < options_.confirm_confidence) return;
  if (static_cast<float>(track.hits) < kMinSeenShare * static_cast<float>(track.frames)) return;
  const float distance = length(track.seen.center() - track.first.center());
  if (!track.confirmed && is_doubtful(track)) return;
  const bool sure = track.mean_confidence() >= kSureConfidence;
  const float age = seconds(now_ns_ - track.first_ns);
  if (track.hits < (sure ? kFastHits : kMinHits) && age < kLongAge &&
      distance < kFastDistance * track.seen.size())
    return;
  const bool often = track.hits >= kFastHits;
  const bool old = age >= (sure ? options_.confirm_s / 2 : options_.confirm_s);
  track.confirmed |= (old && (often || !track.far_apart)) ||
                     (often && distance > kFastDistance * track.seen.size());
}

void Tracker::link_fast_objects() {
  std::vector<EarlierDetection> seen_once;
  std::vector<size_t> tracks, columns;
  for (size_t i = 0; i < tracks_.size(); ++i)
    if (tracks_[i].hits == 1) {
      seen_once.push_back({tracks_[i].seen, tracks_[i].seen_ns});
      tracks.push_back(i);
    }
  std::vector<Box> boxes;
  for (size_t j = 0; j < detections_.size(); ++j)
    if (!used_[j] && detections_[j].confidence >= options_.new_confidence) {
      boxes.push_back(box_of(detections_[j]));
      columns.push_back(j);
    }
  for (const FastObject& object : find_fast_objects(seen_once, boxes, now_ns_)) {
    if (traffic_.opposes(seen_once[object.first].box.center(), boxes[object.detection].center()))
      continue;
    join(tracks_[tracks[object.first]], tracks_[tracks[object.second]],
         detections_[columns[object.detection]]);
    used_[columns[object.detection]] = true;
  }
  end_where([](const Track& track) { return track.merged; });
}

void Tracker::join(Track& first, Track& second, const tally_detection& detection) {
  const float elapsed = seconds(now_ns_ - first.seen_ns);
  const Point moved = box_of(detection).center() - first.seen.center();
  first.vote.add(second.vote.leader(), second.confidence);
  first.hits += 1;
  first.far_apart = true;
  first.crowded |= is_crowded(box_of(detection), detections_);
  first.confidence_sum += second.confidence;
  second.merged = true;
  absorb(first, detection);
  first.motion.start_moving(first.seen, {moved.x / elapsed, moved.y / elapsed}, elapsed);
}

void Tracker::start_tracks() {
  for (size_t j = 0; j < detections_.size(); ++j) {
    const tally_detection& detection = detections_[j];
    if (used_[j] || detection.confidence < options_.new_confidence) continue;
    const Box box = box_of(detection);
    if (is_repeated(box)) continue;
    note_unlinked(box);
    Track track;
    track.id = next_id_++;
    track.first = box;
    track.frames = 1;
    track.before_ns = frame_before_ns();
    track.first_ns = now_ns_;
    track.motion.start(box);
    absorb(track, detection);
    tracks_.push_back(std::move(track));
  }
}

/// Whether a detection is another box of an object that has been matched.
bool Tracker::is_repeated(const Box& box) const {
  return std::any_of(tracks_.begin(), tracks_.end(), [&](const Track& track) {
    if (track.seen_ns != now_ns_) return false;
    return iou(track.motion.box(), box) > kSameObject ||
           (track.confirmed && is_part_of(box, track.seen));
  });
}

void Tracker::learn_traffic(float dt) {
  if (dt > 0) traffic_.fade(dt);
  for (Track& track : tracks_) {
    if (track.seen_ns != now_ns_ || !track.confirmed || track.overlaps < kTrafficOverlaps) continue;
    const Point velocity = track.motion.velocity();
    const float size = track.motion.box().size();
    if (length(velocity) > kTrafficSpeed * size &&
        length(track.seen.center() - track.first.center()) > kTrafficDistance * size)
      traffic_.add(track.seen.center(), velocity, track.cell);
  }
}

/// Count a tentative track seen once, in the frame before and of similar size, that was not
/// matched: it may be this object, too far away to be linked.
void Tracker::note_unlinked(const Box& box) {
  const int64_t before_ns = frame_before_ns();
  float nearest = std::numeric_limits<float>::infinity();
  for (const Track& track : tracks_)
    if (track.hits == 1 && track.seen_ns == before_ns && similar_sides(track.seen, box))
      nearest = std::min(nearest, length(track.seen.center() - box.center()));
  if (!std::isfinite(nearest) || box.size() <= 0) return;
  unlinked_.count += 1;
  unlinked_.sizes_per_s += nearest / (box.size() * seconds(now_ns_ - before_ns));
}

template <typename Predicate>
void Tracker::end_where(const Predicate& over) {
  const auto first = std::stable_partition(tracks_.begin(), tracks_.end(),
                                           [&](const Track& track) { return !over(track); });
  std::move(first, tracks_.end(), std::back_inserter(ended_));
  tracks_.erase(first, tracks_.end());
}

/// Before matching: a gap between two frames ages tracks as well.
void Tracker::drop_lost() {
  frames_ns_.push_back(now_ns_);
  if (frames_ns_.size() > kTentativeFrames + 1) frames_ns_.erase(frames_ns_.begin());
  end_where([&](const Track& track) {
    const float kept =
        is_standing(track) ? std::max(options_.remember_s, options_.lost_s) : options_.lost_s;
    return seconds(now_ns_ - track.seen_ns) > kept;
  });
}

void Tracker::drop_tracks() {
  end_where([&](const Track& track) {
    const float unseen = seconds(now_ns_ - track.seen_ns);
    if (unseen == 0) return false;
    if (track.confirmed) return is_leaving(track, frame()) && unseen > options_.edge_lost_s;
    return unseen > kTentativeLost && track.seen_ns < frames_ns_.front();
  });
}

}  // namespace tally
