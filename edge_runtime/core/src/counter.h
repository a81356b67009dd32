// Tracks to totals and events.
#pragma once

#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "edges.h"
#include "places.h"
#include "state.h"
#include "tally.h"
#include "tracker.h"

namespace tally {

/// Totals of one line by class.
struct LineTotals {
  std::vector<int64_t> in, out;

  template <typename Archive>
  void persist(Archive& archive) {
    archive(in, out);
  }
};

/// Totals of one zone by class, and the stays that have ended.
struct ZoneTotals {
  std::vector<int64_t> entered, left;
  int64_t stays = 0;
  double stays_s = 0;
  double longest_s = 0;

  template <typename Archive>
  void persist(Archive& archive) {
    archive(entered, left, stays, stays_s, longest_s);
  }
};

/// So many events of one kind at one place, counted for one object.
struct Booking {
  int32_t kind;
  int32_t place;
  int64_t amount;

  template <typename Archive>
  void persist(Archive& archive) {
    archive(kind, place, amount);
  }
};

/// What the counter knows of one live object beside its track.
struct Subject {
  Point anchor;
  int64_t seen_ns = 0;
  int32_t class_id = -1;  // under which its counts are booked
  bool counted = false;   // as a unique object; before that its events wait in `pending`
  std::vector<Line::State> lines;
  std::vector<Zone::State> zones;
  std::vector<Booking> booked;       // kept so that they can move when the vote changes
  std::vector<tally_event> pending;  // kept until the object is confirmed

  template <typename Archive>
  void persist(Archive& archive) {
    archive(anchor, seen_ns, class_id, counted, lines, zones, booked, pending);
  }
};

class Counter {
 public:
  explicit Counter(const tally_counter_options& options);

  int add_line(Point a, Point b, bool extend);
  int add_zone(std::vector<Point> corners);
  void set_least_dwell(int zone, float seconds);
  void update(int64_t now_ns, const tally_detection* detections, int count);
  /// Totals and diagnostics begin again from zero; objects go on and are not counted again.
  void reset();

  /// Everything that the next update builds on, with what was made of it so far.
  Bytes save();
  /// Take over what a counter of the same options and places saved; unchanged if it is refused.
  void restore(const uint8_t* state, size_t size);

  const tally_counter_options& options() const { return options_; }
  std::vector<tally_track> visible_tracks() const;
  std::deque<tally_event>& events() { return events_; }
  const std::vector<int64_t>& unique() const { return unique_; }
  const LineTotals& line(int index) const;
  const ZoneTotals& zone(int index) const;
  /// Counted objects in the zone now.
  std::vector<tally_stay> present(int zone) const;
  const std::vector<int64_t>& detected() const { return detected_; }
  /// Mean and longest stay in seconds, stays that go on included.
  void dwell(int zone, double* mean_s, double* max_s) const;
  float nearest(int line) const;
  tally_diagnostics diagnostics() const;

  std::string error;

 private:
  std::vector<tally_detection> usable(const tally_detection* detections, int count);
  void observe(const Track& track);
  void begin(Subject& subject, const Track& track, Point anchor);
  void advance(Subject& subject, const Track& track, Point anchor);
  void happened(Subject& subject, const Track& track, tally_event_kind kind, int place, Point at,
                int64_t timestamp_ns, float dwell_s = 0);
  void cross(Subject& subject, const Track& track, std::vector<Line::State>& states,
             const Step& step);
  void came_in(Subject& subject, const Track& track);
  void went_out(Subject& subject, const Track& track);
  void confirm(Subject& subject, const Track& track);
  void reclassify(Subject& subject, const Track& track);
  void end(const Track& track);
  void book(Subject& subject, const tally_event& event);
  void add(const Booking& booking, int32_t class_id, int64_t sign);
  void leave(Subject& subject, const Track& track, int zone, Point at, int64_t timestamp_ns);
  void publish(const tally_event& event);
  Frame frame() const;
  Bytes configuration() const;
  void check_state() const;
  void check_subject(const Track& track) const;
  void check_event(const tally_event& event) const;
  void check_place(int kind, int place) const;
  template <typename Archive>
  void persist(Archive& archive) {
    archive(line_totals_, zone_totals_, nearest_, unique_, detected_, events_, started_, now_ns_,
            tracker_);
    auto& d = diagnostics_;
    archive(d.frames, d.detections, d.below_low_confidence, d.unconfirmed_tracks, d.longest_gap_ns,
            d.fastest, d.longest_unconfirmed_s);
  }

  tally_counter_options options_;
  Tracker tracker_;
  std::vector<Line> lines_;
  std::vector<Zone> zones_;
  std::vector<LineTotals> line_totals_;
  std::vector<ZoneTotals> zone_totals_;
  std::vector<float> nearest_;
  std::vector<int64_t> unique_;
  std::vector<int64_t> detected_;
  std::unordered_map<int64_t, Subject> subjects_;
  std::deque<tally_event> events_;
  tally_diagnostics diagnostics_{};
  int64_t now_ns_ = 0;
  bool started_ = false;
};

}  // namespace tally
