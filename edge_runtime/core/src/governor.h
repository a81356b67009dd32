// The governor: keeps a latency budget, a maximum rate and the temperature, in steps of a ladder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "rate_limiter.h"
#include "tally.h"

namespace tally {

tally_governor_options governor_defaults();

class Governor {
 public:
  explicit Governor(const tally_governor_options& options);

  /// TALLY_REASON_NONE to process the frame, else why not.
  int32_t wants(int64_t timestamp_ns);
  void learn(int64_t timestamp_ns, double latency_ms);
  void set_thermal(int32_t thermal);
  void set_headroom(double headroom);

  const std::vector<tally_level>& ladder() const { return levels_; }
  tally_governor_state state() const;
  std::vector<tally_level_change>& changes() { return told_; }

  std::string error;

 private:
  struct Median {
    double at_s;
    double latency_ms;
  };
  /// Where on the ladder: the steps of latency and those of heat, at most the last level.
  size_t index() const;
  bool paused() const { return thermal_ >= TALLY_THERMAL_CRITICAL; }
  int32_t wanted_heat_steps() const;
  int32_t heat_reason() const;
  void heat_changed(bool was_paused);
  void cool_down(int64_t timestamp_ns);
  void decide(double now_s);
  double typical_ms() const;
  void step_down(double now_s);
  void step_up(double now_s);
  void tell(int32_t reason, double latency_ms);
  template <typename Holds>
  double share(double now_s, double span_s, const Holds& holds) const;

  tally_governor_options options_;
  std::vector<tally_level> levels_;
  RateLimiter limiter_;
  size_t at_ = 0;           // steps by latency
  int32_t heat_steps_ = 0;  // steps by heat
  size_t lowest_ = 0;
  int64_t count_ = 0;
  std::vector<tally_level_change> told_;

  std::vector<Median> medians_;
  std::vector<double> bucket_;
  double bucket_s_ = 0;
  double wait_up_s_;
  double went_up_s_ = 0;
  bool went_up_ = false;

  int64_t now_ns_ = 0;
  int32_t thermal_ = TALLY_THERMAL_NONE;
  double headroom_ = -1;
  int64_t warm_ns_ = 0;  // last time at which no step of heat could be returned
};

}  // namespace tally
