// Adaptive sampling: only the frames that the objects' speed needs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "geometry.h"
#include "rate_limiter.h"
#include "tally.h"

namespace tally {

tally_sampler_options sampler_defaults();

/// Tracking needs an object to move by at most a fraction of its own size between two frames. While
/// a new object's speed is unknown, every frame is wanted.
class Sampler {
 public:
  explicit Sampler(const tally_sampler_options& options);

  bool wants(int64_t timestamp_ns);
  void learn(int64_t timestamp_ns, const tally_track* tracks, int32_t num_tracks,
             const tally_detection* detections, int32_t num_detections);
  tally_sampler_state state() const;

  std::string error;

 private:
  struct Station {
    double at_s;
    double x;
    double y;
  };
  using Path = std::vector<Station>;
  struct Speed {
    double at_s;
    double sizes_per_s;
  };
  Path& path_of(int64_t track_id);
  void forget_others(const tally_track* tracks, int32_t num_tracks);
  /// Sizes per second; nothing while the track is too young.
  std::optional<double> speed_of(const tally_track& track, double now_s);
  double fastest_now(double now_s);

  tally_sampler_options options_;
  RateLimiter limiter_;
  std::vector<std::pair<int64_t, Path>> paths_;  // by track id
  std::vector<Speed> speeds_;
  double fastest_ = 0;
  int64_t used_ = 0;
  int64_t first_ns_ = 0;
  int64_t last_ns_ = 0;
  bool started_ = false;
};

}  // namespace tally
