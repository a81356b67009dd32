#include "fast_objects.h"

#include <algorithm>

namespace tally {
namespace {

constexpr size_t kMaxEarlier = 48;
constexpr size_t kMaxFits = 512;  // the best, so that the cost is bounded
constexpr float kSizeRatio = 1.5f;
constexpr float kTolerance = 0.4f;  // sizes from where even motion leads
constexpr float kTurn = 0.1f;       // of the distance between two detections
// Another fit rivals one if its error is not clearly larger, and it leads elsewhere.
constexpr float kRivalRatio = 1.5f;
constexpr float kRivalError = 0.2f;
constexpr float kSameDirection = 0.5f;  // cosine of the angle between two motions

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

bool shares_a_detection(const FastObject& a, const FastObject& b) {
  return a.detection == b.detection || a.first == b.first || a.second == b.second ||
         a.first == b.second || a.second == b.first;
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
  if (fits.size() > kMaxFits) fits.resize(kMaxFits);
  const auto path = [&](const FastObject& object) {
    return detections[object.detection].center() - earlier[object.first].box.center();
  };
  // In a queue of similar objects the same detections also fit motions in other directions.
  const auto ambiguous = [&](const Fit& fit) {
    return std::any_of(fits.begin(), fits.end(), [&](const Fit& other) {
      if (!shares_a_detection(fit.object, other.object)) return false;
      if (other.error > kRivalRatio * fit.error + kRivalError) return false;
      const Point a = path(fit.object), b = path(other.object);
      return dot(a, b) < kSameDirection * length(a) * length(b);
    });
  };
  std::vector<FastObject> objects;
  std::vector<bool> linked(earlier.size()), taken(detections.size());
  for (const Fit& fit : fits) {
    const auto [first, second, detection] = fit.object;
    if (linked[first] || linked[second] || taken[detection] || ambiguous(fit)) continue;
    linked[first] = linked[second] = taken[detection] = true;
    objects.push_back(fit.object);
  }
  return objects;
}

}  // namespace tally
