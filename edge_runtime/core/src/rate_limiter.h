// Passes frames at an even rate of capture time.
#pragma once

#include <cstdint>

namespace tally {

/// b - a in seconds; differences that no camera has wrap around.
inline double seconds_between(int64_t a, int64_t b) {
  return static_cast<double>(
             static_cast<int64_t>(static_cast<uint64_t>(b) - static_cast<uint64_t>(a))) /
         1e9;
}

/// Frames come at the source's rate, so one is taken if it is nearer to the due time than the next
/// would be: 15 of 30 frames per second are every second one, with or without jitter.
class RateLimiter {
 public:
  double interval_s = 0;  ///< between two frames that pass; 0 passes all

  /// Whether a frame of this capture time passes.
  bool is_due(int64_t timestamp_ns);
  /// Let the next frame pass, whatever its time.
  void reset() { has_due_ = false; }
  /// The source's own interval, smoothed.
  double frame_s() const { return frame_s_; }

 private:
  void measure(int64_t timestamp_ns);

  double frame_s_ = 0;
  double due_ns_ = 0;
  bool has_due_ = false;
  int64_t previous_ns_ = 0;
  bool has_previous_ = false;
};

}  // namespace tally
