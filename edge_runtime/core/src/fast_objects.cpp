#include "fast_objects.h"

#include <algorithm>

namespace tally {
namespace {

constexpr size_t kMaxEarlier = 48;
constexpr float kSizeRatio = 1.5f;
constexpr float kTolerance = 0.4f;  // sizes from where even motion leads
constexpr float kTurn = 0.1f;       // of the distance between two detections

struct Fit {
  float error;
  FastObject object;
};

bool similar(const Box& a, const Box& b) {
  return a.size() < kSizeRatio * b.size() && b.size() < kSizeRatio * a.size();
}

/// How far `box` is from where the motion from `a` to `b` leads, in units of what is allowed.
float misfit(const EarlierDetection& a, const EarlierDetection& b, const Box& box, int64_t now_ns) {
  const Point step = b.box.center() - a.box.center();
  const float ratio = static_cast<float>(now_ns - b.timestamp_ns) /
                      static_cast<float>(b.timestamp_ns - a.timestamp_ns);
  const Point center = b.box.center();
  const Point expected = {center.x + ratio * step.x, center.y + ratio * step.y};
  return length(box.center() - expected) / (kTolerance * box.size() + kTurn * ratio * length(step));
}

}  // namespace

std::vector<FastObject> find_fast_objects(const std::vector<EarlierDetection>& earlier,
                                          const std::vector<Box>& detections, int64_t now_ns) {
  std::vector<Fit> fits;
  const size_t oldest = earlier.size() - std::min(earlier.size(), kMaxEarlier);
  for (size_t second = oldest; second < earlier.size(); ++second)
    for (size_t first = oldest; first < second; ++first) {
      const EarlierDetection &a = earlier[first], &b = earlier[second];
      if (a.timestamp_ns == b.timestamp_ns || !similar(a.box, b.box)) continue;
      for (size_t j = 0; j < detections.size(); ++j) {
        if (!similar(b.box, detections[j])) continue;
        const float error = misfit(a, b, detections[j], now_ns);
        if (error < 1) fits.push_back({error, {first, second, j}});
      }
    }
  std::stable_sort(fits.begin(), fits.end(),
                   [](const Fit& a, const Fit& b) { return a.error < b.error; });
  std::vector<FastObject> objects;
  std::vector<bool> linked(earlier.size()), taken(detections.size());
  for (const Fit& fit : fits) {
    const auto [first, second, detection] = fit.object;
    if (linked[first] || linked[second] || taken[detection]) continue;
    linked[first] = linked[second] = taken[detection] = true;
    objects.push_back(fit.object);
  }
  return objects;
}

}  // namespace tally
