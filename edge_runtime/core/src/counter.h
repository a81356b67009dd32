// Tracks to totals and events.
#pragma once

#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "places.h"
#include "tally.h"
#include "tracker.h"

namespace tally {

/// Totals of one line by class.
struct LineTotals {
  std::vector<int64_t> in, out;
};

/// Totals of one zone by class, and the stays that have ended.
struct ZoneTotals {
  std::vector<int64_t> entered, left;
  int64_t stays = 0;
  double stays_s = 0;
  double longest_s = 0;
};

/// So many events of one kind at one place, counted for one object.
struct Booking {
  int32_t kind;
  int32_t place;
  int64_t amount;
};

/// An ended presence of one object in a zone.
struct Stay {
  size_t zone;
  double seconds;
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
  std::vector<Stay> pending_stays;   // the same
};

class Counter {
 public:
  explicit Counter(const tally_counter_options& options);

  int add_line(Point a, Point b, bool extend);
  int add_zone(std::vector<Point> corners);
  void update(int64_t now_ns, const tally_detection* detections, int count);

  const tally_counter_options& options() const { return options_; }
  std::vector<tally_track> visible_tracks() const;
  std::deque<tally_event>& events() { return events_; }
  const std::vector<int64_t>& unique() const { return unique_; }
  const LineTotals& line(int index) const;
  const ZoneTotals& zone(int index) const;
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
                int64_t timestamp_ns);
  void confirm(Subject& subject, const Track& track);
  void reclassify(Subject& subject, const Track& track);
  void end(const Track& track);
  void book(Subject& subject, const tally_event& event);
  void add(const Booking& booking, int32_t class_id, int64_t sign);
  void stayed(Subject& subject, size_t zone, int64_t left_ns);
  void book(const Stay& stay);
  void publish(const tally_event& event);

  tally_counter_options options_;
  Tracker tracker_;
  std::vector<Line> lines_;
  std::vector<Zone> zones_;
  std::vector<LineTotals> line_totals_;
  std::vector<ZoneTotals> zone_totals_;
  std::vector<float> nearest_;
  std::vector<int64_t> unique_;
  std::unordered_map<int64_t, Subject> subjects_;
  std::deque<tally_event> events_;
  tally_diagnostics diagnostics_{};
  int64_t now_ns_ = 0;
};

}  // namespace tally
