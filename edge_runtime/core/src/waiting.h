// How long a file may wait for the cloud, so that it ends little later than without one. No clock.
#pragma once

#include <cstdint>
#include <string>

#include "tally.h"

namespace tally {

tally_waiting_options waiting_defaults();

/// The device's time is lost while a frame waits and engines have nothing to do. All other time is
/// work that the device alone would have to do too. Lost time stays below `share` of that work.
class Waiting {
 public:
  explicit Waiting(const tally_waiting_options& options);

  void start(double now_s);
  void wait(double now_s, int32_t change);
  void compute(double now_s, int32_t change);
  void saved(double seconds);
  double left_s(double now_s);

  std::string error;

 private:
  void advance(double now_s);

  tally_waiting_options options_;
  bool started_ = false;
  double start_s_ = 0;
  double at_s_ = 0;
  int64_t waiting_ = 0;
  int64_t computing_ = 0;
  double lost_s_ = 0;
  double saved_s_ = 0;
};

}  // namespace tally
