#include "counter.h"

#include <algorithm>
#include <cmath>

#include "handle.h"

namespace tally {
namespace {

constexpr size_t kMaxPlaces = 256;
constexpr size_t kMaxDetections = 10'000;
constexpr size_t kMaxEvents = 65'536;
constexpr size_t kMaxPending = 1'000;
bool is_score(float value) { return value >= 0 && value <= 1; }
bool is_duration(float value) { return value >= 0 && value <= 86'400; }

/// What is a thousand kilometres of pixels away is no object, and its squares are no numbers.
bool is_near(const tally_detection& d) {
  constexpr float farthest = 1e9f;
  return std::max(std::abs(d.x1), std::abs(d.x2)) < farthest &&
         std::max(std::abs(d.y1), std::abs(d.y2)) < farthest;
}

void check(const tally_counter_options& options) {
  require(options.num_classes >= 1 && options.num_classes <= 10'000, "1 to 10000 classes");
  require(options.frame_width >= 1 && options.frame_height >= 1, "frame sides must be positive");
  require(!options.any_class || options.num_classes == 1, "any_class needs num_classes 1");
  require(options.anchor >= TALLY_BOTTOM_CENTRE && options.anchor <= TALLY_TOP_CENTRE,
          "unknown anchor");
  require(is_score(options.low_confidence) && is_score(options.high_confidence) &&
              is_score(options.new_confidence) && is_score(options.confirm_confidence),
          "confidences must be 0 to 1");
  require(is_duration(options.confirm_s) && is_duration(options.lost_s) &&
              is_duration(options.edge_lost_s),
          "durations must be 0 to 86400 seconds");
  require(options.hysteresis >= 0 && options.hysteresis <= 10, "hysteresis must be 0 to 10");
}

}  // namespace

Counter::Counter(const tally_counter_options& options)
    : options_(options), tracker_(options) {
  check(options);
  unique_.assign(options.num_classes, 0);
  detected_.assign(options.num_classes, 0);
}

int Counter::add_line(Point a, Point b, bool extend) {
  require(!started_, "lines are added before the first frame");
  require(lines_.size() < kMaxPlaces, "at most 256 lines");
  lines_.emplace_back(a, b, extend);
  const std::vector<int64_t> zeros(options_.num_classes);
  line_totals_.push_back({zeros, zeros});
  nearest_.push_back(-1);
  return static_cast<int>(lines_.size()) - 1;
}

int Counter::add_zone(std::vector<Point> corners) {
  require(!started_, "zones are added before the first frame");
  require(zones_.size() < kMaxPlaces, "at most 256 zones");
  zones_.emplace_back(std::move(corners));
  const std::vector<int64_t> zeros(options_.num_classes);
  zone_totals_.push_back({zeros, zeros});
  return static_cast<int>(zones_.size()) - 1;
}

void Counter::set_least_dwell(int index, float seconds) {
  zone(index);
  require(!started_, "the least dwell is set before the first frame");
  require(is_duration(seconds), "the least dwell must be 0 to 86400 seconds");
  zones_[index].set_least_dwell(static_cast<int64_t>(seconds * 1e9));
}

std::vector<tally_detection> Counter::usable(const tally_detection* detections, int count) {
  std::vector<tally_detection> usable;
  usable.reserve(count);
  for (int i = 0; i < count; ++i) {
    tally_detection d = detections[i];
    require(std::isfinite(d.x1) && std::isfinite(d.y1) && std::isfinite(d.x2) &&
                std::isfinite(d.y2) && d.x1 <= d.x2 && d.y1 <= d.y2,
            "detection boxes must be finite with x1 <= x2 and y1 <= y2");
    require(is_score(d.confidence), "detection confidence must be 0 to 1");
    if (options_.any_class) d.class_id = 0;
    require(d.class_id >= 0 && d.class_id < options_.num_classes, "class_id is out of range");
    if (d.confidence >= options_.low_confidence && is_near(d)) usable.push_back(d);
  }
  return usable;
}

void Counter::update(int64_t now_ns, const tally_detection* detections, int count) {
  require(count >= 0 && static_cast<size_t>(count) <= kMaxDetections, "0 to 10000 detections");
  require(detections != nullptr || count == 0, "detections are NULL");
  require(is_time(now_ns), "timestamp is out of range");
  if (started_ && now_ns <= now_ns_)
    throw Rejected(TALLY_OUT_OF_ORDER, "timestamp is not later than the previous one");
  const auto seen = usable(detections, count);
  if (started_)
    diagnostics_.longest_gap_ns = std::max(diagnostics_.longest_gap_ns, now_ns - now_ns_);
  diagnostics_.frames += 1;
  diagnostics_.detections += count;
  diagnostics_.below_low_confidence += count - static_cast<int64_t>(seen.size());
  for (int i = 0; i < count; ++i)
    detected_[options_.any_class ? 0 : detections[i].class_id] += 1;
  now_ns_ = now_ns;
  started_ = true;
  tracker_.update(now_ns, seen);
  for (const Track& track : tracker_.tracks())
    if (track.seen_ns == now_ns) observe(track);
  for (const Track& track : tracker_.ended()) end(track);
}

void Counter::observe(const Track& track) {
  const Point anchor = anchor_point(track.motion.box(), options_.anchor);
  const auto [entry, is_new] = subjects_.try_emplace(track.id);
  Subject& subject = entry->second;
  if (is_new)
    begin(subject, track, anchor);
  else
    advance(subject, track, anchor);
  subject.anchor = anchor;
  subject.seen_ns = now_ns_;
  if (track.confirmed && !subject.counted) confirm(subject, track);
  if (subject.counted && subject.class_id != track.vote.leader()) reclassify(subject, track);
  if (!subject.counted) return;
  const float speed = length(track.motion.velocity()) / track.motion.box().size();
  diagnostics_.fastest = std::max(diagnostics_.fastest, speed);
  for (size_t i = 0; i < lines_.size(); ++i) {
    const float distance = lines_[i].distance(anchor);
    if (nearest_[i] < 0 || distance < nearest_[i]) nearest_[i] = distance;
  }
}

void Counter::begin(Subject& subject, const Track& track, Point anchor) {
  subject.lines.resize(lines_.size());
  subject.zones.resize(zones_.size());
  for (size_t i = 0; i < lines_.size(); ++i) lines_[i].begin(subject.lines[i], anchor);
  for (size_t i = 0; i < zones_.size(); ++i)
    if (zones_[i].begin(subject.zones[i], anchor, now_ns_) == Zone::Change::kEntered)
      happened(subject, track, TALLY_ENTERED, static_cast<int>(i), anchor, now_ns_);
}

void Counter::advance(Subject& subject, const Track& track, Point anchor) {
  const float margin = options_.hysteresis * track.motion.box().size();
  const Step step{subject.anchor, anchor, subject.seen_ns, now_ns_, margin};
  cross(subject, track, subject.lines, step);
  for (size_t i = 0; i < zones_.size(); ++i) {
    const Zone::Change change = zones_[i].advance(subject.zones[i], step);
    if (change == Zone::Change::kNone) continue;
    const int place = static_cast<int>(i);
    if (change == Zone::Change::kEntered)
      happened(subject, track, TALLY_ENTERED, place, anchor, subject.zones[i].entered_ns);
    else
      leave(subject, track, place, anchor, subject.zones[i].left_ns);
  }
}

void Counter::cross(Subject& subject, const Track& track, std::vector<Line::State>& states,
                    const Step& step) {
  for (size_t i = 0; i < lines_.size(); ++i)
    if (const auto crossing = lines_[i].advance(states[i], step))
      happened(subject, track, crossing->in ? TALLY_CROSSED_IN : TALLY_CROSSED_OUT,
               static_cast<int>(i), crossing->at, crossing->timestamp_ns);
}

Frame Counter::frame() const {
  return {static_cast<float>(options_.frame_width), static_cast<float>(options_.frame_height)};
}

/// Who came in over the edge has crossed what lies between it and the first place seen.
void Counter::came_in(Subject& subject, const Track& track) {
  const float age = seconds(track.seen_ns - track.first_ns);
  if (track.before_ns == kNever || age <= 0) return;
  const Point back = (track.first.centre() - track.seen.centre()) * (1 / age);
  const auto way = way_out(track.first, back, seconds(track.first_ns - track.before_ns), frame());
  if (!way) return;
  const Point first = anchor_point(track.first, options_.anchor), outside = first + *way;
  std::vector<Line::State> states(lines_.size());
  for (size_t i = 0; i < lines_.size(); ++i) lines_[i].begin(states[i], outside);
  cross(subject, track, states, {outside, first, track.before_ns, track.first_ns, 0});
}

/// Who went out over the edge has crossed what lies between the last place seen and it.
void Counter::went_out(Subject& subject, const Track& track) {
  const float unseen = std::min(seconds(now_ns_ - track.seen_ns), options_.edge_lost_s);
  const auto way = way_out(track.seen, track.motion.velocity(), unseen, frame());
  if (!way) return;
  const Point last = subject.anchor;
  cross(subject, track, subject.lines, {last, last + *way, track.seen_ns, now_ns_, 0});
}

void Counter::happened(Subject& subject, const Track& track, tally_event_kind kind, int place,
                       Point at, int64_t timestamp_ns, float dwell_s) {
  const tally_event event{timestamp_ns,
                          track.id,
                          kind,
                          subject.class_id,
                          -1,
                          place,
                          at.x,
                          at.y,
                          track.confidence,
                          seconds(timestamp_ns - track.first_ns),
                          dwell_s};
  if (!subject.counted) {
    if (subject.pending.size() < kMaxPending) subject.pending.push_back(event);
    return;
  }
  book(subject, event);
}

void Counter::leave(Subject& subject, const Track& track, int zone, Point at,
                    int64_t timestamp_ns) {
  happened(subject, track, TALLY_LEFT, zone, at, timestamp_ns,
           seconds(timestamp_ns - subject.zones[zone].entered_ns));
}

void Counter::confirm(Subject& subject, const Track& track) {
  subject.counted = true;
  subject.class_id = track.vote.leader();
  happened(subject, track, TALLY_CONFIRMED, -1, subject.anchor, now_ns_);
  came_in(subject, track);
  for (tally_event& event : subject.pending) {
    event.class_id = subject.class_id;
    book(subject, event);
  }
  subject.pending.clear();
}

void Counter::reclassify(Subject& subject, const Track& track) {
  const int32_t previous = subject.class_id;
  subject.class_id = track.vote.leader();
  for (const Booking& booking : subject.booked) {
    add(booking, previous, -1);
    add(booking, subject.class_id, 1);
  }
  publish({now_ns_, track.id, TALLY_RECLASSIFIED, subject.class_id, previous, -1, subject.anchor.x,
           subject.anchor.y, track.confidence, seconds(now_ns_ - track.first_ns), 0});
}

void Counter::end(const Track& track) {
  const auto entry = subjects_.find(track.id);
  if (entry == subjects_.end()) return;
  Subject& subject = entry->second;
  if (!subject.counted && !track.merged) {
    diagnostics_.unconfirmed_tracks += 1;
    diagnostics_.longest_unconfirmed_s = std::max(
        diagnostics_.longest_unconfirmed_s, seconds(track.seen_ns - track.first_ns));
  }
  if (subject.counted) went_out(subject, track);
  for (size_t i = 0; subject.counted && i < zones_.size(); ++i) {
    if (subject.zones[i].reported)
      leave(subject, track, static_cast<int>(i), subject.anchor, subject.seen_ns);
  }
  subjects_.erase(entry);
}

void Counter::book(Subject& subject, const tally_event& event) {
  const auto same = [&](const Booking& booking) {
    return booking.kind == event.kind && booking.place == event.place;
  };
  auto booking = std::find_if(subject.booked.begin(), subject.booked.end(), same);
  if (booking == subject.booked.end())
    booking = subject.booked.insert(booking, {event.kind, event.place, 0});
  booking->amount += 1;
  add({event.kind, event.place, 1}, subject.class_id, 1);
  if (event.kind == TALLY_LEFT) {
    ZoneTotals& totals = zone_totals_[event.place];
    totals.stays += 1;
    totals.stays_s += event.dwell_s;
    totals.longest_s = std::max(totals.longest_s, double{event.dwell_s});
  }
  publish(event);
}

void Counter::add(const Booking& booking, int32_t class_id, int64_t sign) {
  const int64_t amount = sign * booking.amount;
  switch (booking.kind) {
    case TALLY_CONFIRMED: unique_[class_id] += amount; break;
    case TALLY_CROSSED_IN: line_totals_[booking.place].in[class_id] += amount; break;
    case TALLY_CROSSED_OUT: line_totals_[booking.place].out[class_id] += amount; break;
    case TALLY_ENTERED: zone_totals_[booking.place].entered[class_id] += amount; break;
    case TALLY_LEFT: zone_totals_[booking.place].left[class_id] += amount; break;
    default: break;
  }
}

void Counter::publish(const tally_event& event) {
  if (events_.size() == kMaxEvents) events_.pop_front();
  events_.push_back(event);
}

std::vector<tally_track> Counter::visible_tracks() const {
  std::vector<tally_track> visible;
  for (const Track& track : tracker_.tracks()) {
    if (!track.confirmed || track.seen_ns != now_ns_) continue;
    const Box box = track.motion.box();
    visible.push_back({track.id, box.x1, box.y1, box.x2, box.y2, track.confidence,
                       subjects_.at(track.id).class_id});
  }
  return visible;
}

const LineTotals& Counter::line(int index) const {
  require(index >= 0 && static_cast<size_t>(index) < lines_.size(), "no line of that index");
  return line_totals_[index];
}

const ZoneTotals& Counter::zone(int index) const {
  require(index >= 0 && static_cast<size_t>(index) < zones_.size(), "no zone of that index");
  return zone_totals_[index];
}

std::vector<tally_stay> Counter::present(int index) const {
  zone(index);
  std::vector<tally_stay> present;
  for (const Track& track : tracker_.tracks()) {
    const Subject& subject = subjects_.at(track.id);
    const Zone::State& state = subject.zones[index];
    if (subject.counted && state.reported)
      present.push_back({track.id, subject.class_id, seconds(subject.seen_ns - state.entered_ns)});
  }
  return present;
}

void Counter::reset() {
  const std::vector<int64_t> zeros(options_.num_classes);
  unique_ = detected_ = zeros;
  line_totals_.assign(lines_.size(), {zeros, zeros});
  zone_totals_.assign(zones_.size(), {zeros, zeros});
  nearest_.assign(lines_.size(), -1);
  diagnostics_ = {};
  tracker_.forget_unlinked();
  for (auto& [id, subject] : subjects_) subject.booked.clear();  // of the period that has ended
}

void Counter::dwell(int index, double* mean_s, double* max_s) const {
  const ZoneTotals& totals = zone(index);
  int64_t stays = totals.stays;
  double sum = totals.stays_s, longest = totals.longest_s;
  for (const tally_stay& stay : present(index)) {
    stays += 1;
    sum += stay.dwell_s;
    longest = std::max(longest, double{stay.dwell_s});
  }
  *mean_s = stays > 0 ? sum / static_cast<double>(stays) : 0;
  *max_s = longest;
}

float Counter::nearest(int index) const {
  line(index);
  return nearest_[index];
}

tally_diagnostics Counter::diagnostics() const {
  tally_diagnostics diagnostics = diagnostics_;
  diagnostics.live_tracks = static_cast<int64_t>(subjects_.size());
  const Unlinked& unlinked = tracker_.unlinked();
  diagnostics.unlinked = unlinked.count;
  if (unlinked.count > 0)
    diagnostics.needed_fps =
        static_cast<float>(std::ceil(unlinked.sizes_per_s / static_cast<double>(unlinked.count)));
  diagnostics.last_timestamp_ns = started_ ? now_ns_ : kNever;
  return diagnostics;
}

}  // namespace tally
