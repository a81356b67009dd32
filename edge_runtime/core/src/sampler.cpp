#include "exact_floats.h"

#include "sampler.h"

#include <algorithm>
#include <cmath>

#include "handle.h"
#include "options.h"

namespace tally {
namespace {

constexpr double kBaseS = 0.1;  // over which a speed is measured; less would measure jitter
constexpr double kMemoryS = 2;  // how long a measured speed keeps the rate up
constexpr size_t kMaxPath = 1024;
constexpr size_t kMaxSpeeds = 1 << 16;

}  // namespace

tally_sampler_options sampler_defaults() {
  return {sizeof(tally_sampler_options), 0, 0.25, 15.0, 0.25};
}

Sampler::Sampler(const tally_sampler_options& options) : options_(options) {
  require(options.step > 0 && std::isfinite(options.step), "step is not above 0");
  require(options.slowest_fps > 0 && std::isfinite(options.slowest_fps),
          "slowest_fps is not above 0");
  require(options.new_confidence >= 0 && options.new_confidence <= 1,
          "new_confidence is not 0 to 1");
}

bool Sampler::wants(int64_t timestamp_ns) {
  if (!started_) first_ns_ = timestamp_ns;
  started_ = true;
  last_ns_ = timestamp_ns;
  const bool wanted = limiter_.is_due(timestamp_ns);
  used_ += wanted ? 1 : 0;
  return wanted;
}

void Sampler::learn(int64_t timestamp_ns, const tally_track* tracks, int32_t num_tracks,
                    const tally_detection* detections, int32_t num_detections) {
  require(num_tracks >= 0 && (tracks != nullptr || num_tracks == 0), "tracks are NULL");
  require(num_detections >= 0 && (detections != nullptr || num_detections == 0),
          "detections are NULL");
  const double now_s = static_cast<double>(timestamp_ns) / 1e9;
  forget_others(tracks, num_tracks);
  for (int32_t i = 0; i < num_tracks; ++i) {
    const auto speed = speed_of(tracks[i], now_s);
    if (!speed) continue;
    if (speeds_.size() == kMaxSpeeds) speeds_.erase(speeds_.begin());
    speeds_.push_back({now_s, *speed});
    fastest_ = std::max(fastest_, *speed);
  }
  limiter_.interval_s = 1 / std::max(options_.slowest_fps, fastest_now(now_s) / options_.step);
  const auto objects = std::count_if(
      detections, detections + num_detections,
      [&](const tally_detection& one) { return one.confidence >= options_.new_confidence; });
  const bool young = std::any_of(paths_.begin(), paths_.end(), [&](const auto& one) {
    return now_s - one.second.front().at_s < kBaseS;
  });
  if (young || objects > static_cast<std::ptrdiff_t>(paths_.size())) {
    limiter_.interval_s = 0;
    limiter_.reset();
  }
}

void Sampler::forget_others(const tally_track* tracks, int32_t num_tracks) {
  const auto gone = std::remove_if(paths_.begin(), paths_.end(), [&](const auto& path) {
    return std::none_of(tracks, tracks + num_tracks,
                        [&](const tally_track& one) { return one.track_id == path.first; });
  });
  paths_.erase(gone, paths_.end());
}

Sampler::Path& Sampler::path_of(int64_t track_id) {
  for (auto& [id, path] : paths_)
    if (id == track_id) return path;
  paths_.emplace_back(track_id, Path());
  return paths_.back().second;
}

std::optional<double> Sampler::speed_of(const tally_track& track, double now_s) {
  const double x1 = track.x1, y1 = track.y1, x2 = track.x2, y2 = track.y2;
  Path& path = path_of(track.track_id);
  path.push_back({now_s, (x1 + x2) / 2, (y1 + y2) / 2});
  while (path.size() > kMaxPath || (path.size() > 2 && now_s - path[1].at_s >= kBaseS))
    path.erase(path.begin());
  const Station then = path.front();
  if (!(now_s - then.at_s >= kBaseS)) return std::nullopt;
  const double size = std::max(std::sqrt(std::max((x2 - x1) * (y2 - y1), 0.0)), 1.0);
  const double dx = path.back().x - then.x, dy = path.back().y - then.y;
  const double speed = std::sqrt(dx * dx + dy * dy) / size / (now_s - then.at_s);
  return std::isfinite(speed) ? std::optional(speed) : std::nullopt;
}

double Sampler::fastest_now(double now_s) {
  const auto is_recent = [&](const Speed& one) { return !(one.at_s < now_s - kMemoryS); };
  speeds_.erase(speeds_.begin(), std::find_if(speeds_.begin(), speeds_.end(), is_recent));
  double fastest = 0;
  for (const Speed& one : speeds_) fastest = std::max(fastest, one.sizes_per_s);
  return fastest;
}

tally_sampler_state Sampler::state() const {
  const double seconds = std::max(seconds_between(first_ns_, last_ns_), 1e-9);
  return {sizeof(tally_sampler_state), 0, fastest_, static_cast<double>(used_) / seconds};
}

}  // namespace tally
