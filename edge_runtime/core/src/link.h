// Round trip, bandwidth and server time of a link, measured from its frames. No clock.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "average.h"
#include "tally.h"

namespace tally {

tally_link_options link_defaults();

/// Frames arrive in the order in which they were sent, so that the bytes between two arrivals, over
/// the time between them, are a sample of the bandwidth: also with many frames in flight, however
/// long the server keeps each. When a frame arrived follows from when its answer came and how long
/// it was kept.
class Link {
 public:
  explicit Link(const tally_link_options& options);

  void welcomed(double seconds);
  void sent(int64_t sequence, int64_t bytes, double now_s);
  void answered(int64_t sequence, double server_s, double now_s);
  void lost();
  double expected_s(int64_t bytes, double now_s) const;
  tally_link_state state(double now_s) const;

  std::string error;

 private:
  struct Sent {
    int64_t sequence;
    double at_s;
    double bytes;
  };
  using Frames = std::vector<Sent>;
  static void put(Frames& frames, const Sent& frame, size_t most);
  void measure(const Sent& sent, double arrived_s, double now_s);
  double silent_s(double now_s) const;
  double busy_s(double now_s) const;
  double debt_s(double now_s) const;
  double in_flight_bytes() const;

  tally_link_options options_;
  Average rtt_, server_, bandwidth_;
  Frames recent_;   // sent, the oldest first
  Frames waiting_;  // of these, without an answer
  double answered_s_ = 0;
  double measured_s_ = 0;
  int64_t last_sequence_ = 0;
  double last_arrival_s_ = 0;
  double free_s_ = 0;
  double debt_s_ = 0;
  double debt_at_s_ = 0;
};

}  // namespace tally
