#include "tracker.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "jumps.h"
#include "state.h"

namespace tally {
namespace {

constexpr float kLeastOverlap = 0.2f;      // established track, good detection
constexpr float kLeastOverlapLow = 0.5f;   // weak detections must fit well
constexpr float kLeastOverlapNew = 0.3f;   // one-hit tracks are easily wrong
constexpr float kLowWindow = 0.3f;         // seconds unseen after which weak boxes are not trusted
constexpr float kUnconfirmedLost = 0.4f;   // seconds, and not before ...
constexpr size_t kFramesRemembered = 3;    // ... so many frames without it
constexpr float kReachSigmas = 2.0f;
constexpr float kReachBase = 0.3f;         // sizes
constexpr float kReachMost = 3.0f;         // sizes
constexpr float kReachMostNew = 1.5f;      // of a one-hit track, whose motion is unknown
constexpr float kAlone = 1.0f;             // costs of pairs are below
constexpr float kSizeRatio = 2.0f;         // an object does not double its side while unseen
constexpr float kClearLead = 1.2f;
constexpr float kSameObject = 0.7f;        // a new track is not started on top of another
constexpr float kEdge = 0.02f;             // of the frame's side
constexpr float kLeastInside = 0.7f;       // what is left of an object that is going out
constexpr float kLeastSeen = 0.4f;         // of the frames, or it is flicker and no object
constexpr int64_t kFastHits = 4;           // sightings that confirm what has gone ...
constexpr float kFastWay = 2.0f;           // ... so many sizes

Box box_of(const tally_detection& d) { return {d.x1, d.y1, d.x2, d.y2}; }

bool similar(float a, float b) { return a < kSizeRatio * b && b < kSizeRatio * a; }

}  // namespace

void ClassVote::add(int32_t class_id, float weight) {
  auto entry = std::find_if(weights_.begin(), weights_.end(),
                            [&](const auto& pair) { return pair.first == class_id; });
  if (entry == weights_.end()) entry = weights_.insert(entry, {class_id, 0.0f});
  entry->second += weight;
  if (leader_ < 0 || entry->second > kClearLead * weight_of(leader_)) leader_ = class_id;
}

float ClassVote::weight_of(int32_t class_id) const {
  for (const auto& [id, weight] : weights_)
    if (id == class_id) return weight;
  return 0;
}

bool ClassVote::only_of(int32_t num_classes) const {
  const auto known = [&](int32_t id) { return id >= 0 && id < num_classes; };
  return known(leader_) && std::all_of(weights_.begin(), weights_.end(),
                                       [&](const auto& pair) { return known(pair.first); });
}

void Tracker::check_state(int64_t now_ns) const {
  require_state(previous_ns_ == now_ns && next_id_ > 0 && next_id_ < kFarthestNs,
                "the tracker's clock is out of range");
  require_state(frames_ns_.size() <= kFramesRemembered + 1 &&
                    std::all_of(frames_ns_.begin(), frames_ns_.end(), is_time),
                "the tracker's clock is out of range");
  require_state(unlinked_.count >= 0 && unlinked_.count < kFarthestNs, "a total is out of range");
  int64_t previous_id = 0;
  for (const Track& track : tracks_) {
    require_state(track.id > std::exchange(previous_id, track.id) && track.id < next_id_,
                  "tracks are not in order");
    require_state(is_time(track.first_ns) && track.first_ns <= track.seen_ns &&
                      track.seen_ns <= now_ns && track.frames > 0 &&
                      track.frames < kFarthestNs &&
                      (track.before_ns == kNever ||
                       (is_time(track.before_ns) && track.before_ns < track.first_ns)) &&
                      track.hits > 0 && track.hits < kFarthestNs,
                  "a track is out of range");
  }
}

void Tracker::update(int64_t now_ns, const std::vector<tally_detection>& detections) {
  const float dt = seconds(now_ns - previous_ns_);
  now_ns_ = now_ns;
  previous_ns_ = now_ns;
  ended_.clear();
  forget_old();
  detections_ = detections;
  used_.assign(detections_.size(), false);
  for (Track& track : tracks_) {
    track.motion.predict(dt);
    track.frames += 1;
  }
  for (const Stage stage : {Stage::kOverlap, Stage::kReach, Stage::kOverlapYoung,
                            Stage::kOverlapLow, Stage::kRest, Stage::kOverlapNew})
    match(stage);
  link_jumps();
  match(Stage::kReachYoung);
  match(Stage::kLeap);
  start_tracks();
  drop_tracks();
}

bool Tracker::takes_part(const Track& track, Stage stage) const {
  if (track.seen_ns == now_ns_) return false;  // matched by an earlier stage
  switch (stage) {
    case Stage::kOverlap:
    case Stage::kReach: return track.confirmed;
    case Stage::kOverlapYoung: return track.hits > 1;
    case Stage::kOverlapLow: return track.hits > 1 && seconds(now_ns_ - track.seen_ns) < kLowWindow;
    case Stage::kRest: return track.confirmed && leaving(track);
    case Stage::kOverlapNew: return track.hits == 1;
    case Stage::kReachYoung: return true;
    case Stage::kLeap: return track.confirmed && track.seen_ns == frame_before_ns();
  }
  return false;
}

bool Tracker::takes_part(const tally_detection& detection, Stage stage) const {
  const bool high = detection.confidence >= options_.high_confidence;
  return stage == Stage::kOverlapLow ? !high : high;
}

float Tracker::cost(const Track& track, const tally_detection& detection, Stage stage) const {
  const Box expected = track.motion.box(), seen = box_of(detection);
  if (stage == Stage::kLeap) {
    const float leap = length(seen.centre() - track.seen.centre()) / (kReachMost * expected.size());
    const bool alike = similar(expected.width(), seen.width()) &&
                       similar(expected.height(), seen.height());
    return alike && leap < 1 ? leap : kAlone;
  }
  if (stage == Stage::kReach || stage == Stage::kReachYoung) {
    if (!similar(expected.width(), seen.width()) || !similar(expected.height(), seen.height()))
      return kAlone;
    const float size = expected.size();
    const float most = track.hits > 1 ? kReachMost : kReachMostNew;
    const float reach =
        std::min(kReachBase * size + kReachSigmas * track.motion.uncertainty(), most * size);
    const float distance = length(seen.centre() - expected.centre());
    return distance < reach ? distance / (kReachMost * size) : kAlone;
  }
  if (stage == Stage::kRest) {
    const float inside = intersection(expected, seen) / seen.area();
    return edges_of(seen).any() && inside > kLeastInside ? 1 - inside : kAlone;
  }
  const float least = stage == Stage::kOverlapLow   ? kLeastOverlapLow
                      : stage == Stage::kOverlapNew ? kLeastOverlapNew
                                                    : kLeastOverlap;
  const float overlap = iou(expected, seen);
  return overlap > least ? 1 - overlap : kAlone;
}

int64_t Tracker::frame_before_ns() const {
  return frames_ns_.size() > 1 ? frames_ns_[frames_ns_.size() - 2] : kNever;
}

void Tracker::match(Stage stage) {
  std::vector<size_t> rows, columns;
  for (size_t i = 0; i < tracks_.size(); ++i)
    if (takes_part(tracks_[i], stage)) rows.push_back(i);
  for (size_t j = 0; j < detections_.size(); ++j)
    if (!used_[j] && takes_part(detections_[j], stage)) columns.push_back(j);
  if (rows.empty() || columns.empty()) return;
  CostMatrix costs(static_cast<int>(rows.size()), static_cast<int>(columns.size()), kAlone);
  for (int r = 0; r < costs.rows(); ++r)
    for (int c = 0; c < costs.columns(); ++c)
      costs.at(r, c) = cost(tracks_[rows[r]], detections_[columns[c]], stage);
  if (stage == Stage::kLeap) costs.keep_unambiguous();
  const std::vector<int> column_of = assign(costs);
  for (size_t r = 0; r < rows.size(); ++r) {
    if (column_of[r] < 0) continue;
    const size_t j = columns[column_of[r]];
    used_[j] = true;
    absorb(tracks_[rows[r]], detections_[j]);
    if (stage == Stage::kLeap) tracks_[rows[r]].motion.start(box_of(detections_[j]));
  }
}

void Tracker::absorb(Track& track, const tally_detection& detection) {
  track.motion.correct(box_of(detection));
  track.vote.add(detection.class_id, detection.confidence);
  track.seen = box_of(detection);
  track.seen_ns = now_ns_;
  track.hits += 1;
  track.confidence = detection.confidence;
  track.confidence_sum += detection.confidence;
  confirm(track);
}

/// By age; what crosses the picture faster than that, by the way it has gone.
void Tracker::confirm(Track& track) const {
  if (track.mean_confidence() < options_.confirm_confidence) return;
  if (static_cast<float>(track.hits) < kLeastSeen * static_cast<float>(track.frames)) return;
  const float way = length(track.seen.centre() - track.first.centre());
  const bool often = track.hits >= kFastHits;
  const bool old = seconds(now_ns_ - track.first_ns) >= options_.confirm_s;
  track.confirmed |= (old && (often || !track.jumped)) ||
                     (often && way > kFastWay * track.seen.size());
}

void Tracker::link_jumps() {
  std::vector<Sighting> sightings;
  std::vector<size_t> tracks, columns;
  for (size_t i = 0; i < tracks_.size(); ++i)
    if (tracks_[i].hits == 1) {
      sightings.push_back({tracks_[i].seen, tracks_[i].seen_ns});
      tracks.push_back(i);
    }
  std::vector<Box> boxes;
  for (size_t j = 0; j < detections_.size(); ++j)
    if (!used_[j] && detections_[j].confidence >= options_.new_confidence) {
      boxes.push_back(box_of(detections_[j]));
      columns.push_back(j);
    }
  for (const Jump& jump : find_jumps(sightings, boxes, now_ns_)) {
    join(tracks_[tracks[jump.first]], tracks_[tracks[jump.second]],
         detections_[columns[jump.detection]]);
    used_[columns[jump.detection]] = true;
  }
  end_where([](const Track& track) { return track.merged; });
}

void Tracker::join(Track& first, Track& second, const tally_detection& detection) {
  const float elapsed = seconds(now_ns_ - first.seen_ns);
  const Point way = box_of(detection).centre() - first.seen.centre();
  first.vote.add(second.vote.leader(), second.confidence);
  first.hits += 1;
  first.jumped = true;
  first.confidence_sum += second.confidence;
  second.merged = true;
  absorb(first, detection);
  first.motion.start_moving(first.seen, {way.x / elapsed, way.y / elapsed}, elapsed);
}

void Tracker::start_tracks() {
  for (size_t j = 0; j < detections_.size(); ++j) {
    const tally_detection& detection = detections_[j];
    if (used_[j] || detection.confidence < options_.new_confidence) continue;
    const Box box = box_of(detection);
    const bool repeated = std::any_of(tracks_.begin(), tracks_.end(), [&](const Track& track) {
      return track.seen_ns == now_ns_ && iou(track.motion.box(), box) > kSameObject;
    });
    if (repeated) continue;
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

/// A single sighting in the frame before, of the same size and without a successor: was it this?
void Tracker::note_unlinked(const Box& box) {
  const int64_t before_ns = frame_before_ns();
  float nearest = std::numeric_limits<float>::infinity();
  for (const Track& track : tracks_)
    if (track.hits == 1 && track.seen_ns == before_ns && similar(track.seen.width(), box.width()) &&
        similar(track.seen.height(), box.height()))
      nearest = std::min(nearest, length(track.seen.centre() - box.centre()));
  if (!std::isfinite(nearest) || box.size() <= 0) return;
  unlinked_.count += 1;
  unlinked_.sizes_per_s += nearest / (box.size() * seconds(now_ns_ - before_ns));
}

bool Tracker::leaving(const Track& track) const {
  const Box now = track.motion.box();
  const float width = static_cast<float>(options_.frame_width);
  const float height = static_cast<float>(options_.frame_height);
  if (now.x2 < 0 || now.y2 < 0 || now.x1 > width || now.y1 > height) return true;
  const Point v = track.motion.velocity();
  const Edges at = edges_of(track.seen);
  return (at.left && v.x < 0) || (at.right && v.x > 0) || (at.top && v.y < 0) ||
         (at.bottom && v.y > 0);
}

Tracker::Edges Tracker::edges_of(const Box& box) const {
  const float width = static_cast<float>(options_.frame_width);
  const float height = static_cast<float>(options_.frame_height);
  return {box.x1 < kEdge * width, box.y1 < kEdge * height, box.x2 > (1 - kEdge) * width,
          box.y2 > (1 - kEdge) * height};
}

template <typename Predicate>
void Tracker::end_where(const Predicate& over) {
  const auto first = std::stable_partition(tracks_.begin(), tracks_.end(),
                                           [&](const Track& track) { return !over(track); });
  std::move(first, tracks_.end(), std::back_inserter(ended_));
  tracks_.erase(first, tracks_.end());
}

/// Before matching: a gap between two frames ages tracks as well.
void Tracker::forget_old() {
  frames_ns_.push_back(now_ns_);
  if (frames_ns_.size() > kFramesRemembered + 1) frames_ns_.pop_front();
  end_where([&](const Track& track) { return seconds(now_ns_ - track.seen_ns) > options_.lost_s; });
}

void Tracker::drop_tracks() {
  end_where([&](const Track& track) {
    const float unseen = seconds(now_ns_ - track.seen_ns);
    if (unseen == 0) return false;
    if (track.confirmed) return leaving(track) && unseen > options_.edge_lost_s;
    return unseen > kUnconfirmedLost && track.seen_ns < frames_ns_.front();
  });
}

}  // namespace tally
