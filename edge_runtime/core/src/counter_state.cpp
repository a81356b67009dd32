// Saving a counter, and refusing to restore what no counter can have saved.
#include <algorithm>
#include <utility>

#include "counter.h"

namespace tally {
namespace {

constexpr int64_t kMostCounted = int64_t{1} << 53;  // any sum of such numbers fits 64 bits
constexpr int64_t kMostBooked = int64_t{1} << 31;

bool is_count(int64_t value) { return value >= 0 && value <= kMostCounted; }

void check_totals(const std::vector<int64_t>& totals, int32_t num_classes) {
  require_state(totals.size() == static_cast<size_t>(num_classes) &&
                    std::all_of(totals.begin(), totals.end(), is_count),
                "a total is out of range");
}

}  // namespace

/// What must be the same where a state is restored.
Bytes Counter::configuration() const {
  tally_counter_options o = options_;
  std::vector<Line> lines = lines_;
  std::vector<Zone> zones = zones_;
  Writer writer;
  writer(o.num_classes, o.frame_width, o.frame_height, o.any_class, o.anchor, o.low_confidence,
         o.high_confidence, o.new_confidence, o.confirm_s, o.confirm_confidence, o.lost_s,
         o.edge_lost_s, o.hysteresis, lines, zones);
  return writer.take();
}

Bytes Counter::save() {
  Bytes configured = configuration();
  Writer writer;
  writer(configured);
  persist(writer);
  for (const Track& track : tracker_.tracks()) writer(subjects_.at(track.id));
  return seal(writer.take());
}

void Counter::restore(const uint8_t* state, size_t size) {
  Reader reader = unseal(state, size);
  Bytes configured;
  reader(configured);
  require_state(configured == configuration(), "it is of other options, lines or zones");
  Counter restored(*this);
  restored.persist(reader);
  restored.subjects_.clear();
  for (const Track& track : restored.tracker_.tracks()) reader(restored.subjects_[track.id]);
  require_state(reader.at_end(), "there is something behind it");
  restored.check_state();
  *this = std::move(restored);
}

void Counter::check_state() const {
  const int32_t classes = options_.num_classes;
  check_totals(unique_, classes);
  check_totals(detected_, classes);
  require_state(line_totals_.size() == lines_.size() && nearest_.size() == lines_.size() &&
                    zone_totals_.size() == zones_.size(),
                "a place is missing");
  for (const LineTotals& totals : line_totals_) {
    check_totals(totals.in, classes);
    check_totals(totals.out, classes);
  }
  for (const ZoneTotals& totals : zone_totals_) {
    check_totals(totals.entered, classes);
    check_totals(totals.left, classes);
    require_state(is_count(totals.stays), "a total is out of range");
  }
  const auto& d = diagnostics_;
  require_state(is_count(d.frames) && is_count(d.detections) && is_count(d.below_low_confidence) &&
                    is_count(d.unconfirmed_tracks) && d.longest_gap_ns >= 0,
                "a total is out of range");
  require_state(is_time(now_ns_), "a time is out of range");
  for (const tally_event& event : events_) check_event(event);
  tracker_.check_state(now_ns_);
  for (const Track& track : tracker_.tracks()) check_subject(track);
}

void Counter::check_subject(const Track& track) const {
  const Subject& subject = subjects_.at(track.id);
  require_state(track.vote.only_of(options_.num_classes), "a class is out of range");
  require_state(subject.counted == track.confirmed && subject.seen_ns == track.seen_ns &&
                    subject.class_id < options_.num_classes &&
                    subject.class_id >= (subject.counted ? 0 : -1),
                "an object does not match its track");
  require_state(subject.lines.size() == lines_.size() && subject.zones.size() == zones_.size(),
                "a place is missing");
  for (const Line::State& line : subject.lines)
    require_state(line.side >= -1 && line.side <= 1 && is_time(line.last.timestamp_ns),
                  "a crossing is out of range");
  for (const Zone::State& zone : subject.zones)
    require_state(is_time(zone.entered_ns) && is_time(zone.left_ns) &&
                      (zone.other_since_ns == kNever || is_time(zone.other_since_ns)),
                  "a stay is out of range");
  for (const Booking& booking : subject.booked) {
    check_place(booking.kind, booking.place);
    require_state(booking.amount >= 0 && booking.amount <= kMostBooked, "a total is out of range");
  }
  for (const tally_event& event : subject.pending) check_event(event);
}

void Counter::check_place(int kind, int place) const {
  const bool line = kind == TALLY_CROSSED_IN || kind == TALLY_CROSSED_OUT;
  const bool zone = kind == TALLY_ENTERED || kind == TALLY_LEFT;
  const size_t places = line ? lines_.size() : zone ? zones_.size() : 0;
  require_state(kind >= TALLY_CONFIRMED && kind <= TALLY_RECLASSIFIED, "an event is of no kind");
  require_state(line || zone ? place >= 0 && static_cast<size_t>(place) < places : place == -1,
                "an event is nowhere");
}

void Counter::check_event(const tally_event& event) const {
  check_place(event.kind, event.place);
  require_state(is_time(event.timestamp_ns) && event.class_id >= -1 &&
                    event.class_id < options_.num_classes && event.previous_class_id >= -1 &&
                    event.previous_class_id < options_.num_classes,
                "an event is out of range");
}

}  // namespace tally
