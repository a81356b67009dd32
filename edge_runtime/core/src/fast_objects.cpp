#include "exact_floats.h"

#include "fast_objects.h"

#include <algorithm>
#include <tuple>

#include "sparse_assignment.h"

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

// Allowance for rounding in the part of the frame that is searched.
constexpr float kRounding = 1.001f;

struct Fit {
  float error;
  FastObject object;
};

bool similar(const Box& a, const Box& b) {
  return a.size() < kSizeRatio * b.size() && b.size() < kSizeRatio * a.size();
}

/// The order of fits: the best first, and the same order every time.
bool better(const Fit& a, const Fit& b) {
  const auto key = [](const Fit& fit) {
    return std::tuple(fit.error, fit.object.second, fit.object.first, fit.object.detection);
  };
  return key(a) < key(b);
}

/// The motion from detection `a` over `b` to now.
struct EvenMotion {
  EvenMotion(const EarlierDetection& a, const EarlierDetection& b, int64_t now_ns) {
    const Point step = b.box.center() - a.box.center(), center = b.box.center();
    const float ratio = static_cast<float>(now_ns - b.timestamp_ns) /
                        static_cast<float>(b.timestamp_ns - a.timestamp_ns);
    expected = {center.x + ratio * step.x, center.y + ratio * step.y};
    turn = kTurn * ratio * length(step);
    const float reach = kRounding * (kTolerance * kSizeRatio * b.box.size() + turn);
    part = {expected.x - reach, expected.y - reach, expected.x + reach, expected.y + reach};
  }
  /// How far `box` is from there, in units of what is allowed.
  float misfit(const Box& box) const {
    return length(box.center() - expected) / (kTolerance * box.size() + turn);
  }
  Point expected;
  float turn;
  Box part;  // of the frame, which every box that fits touches
};

std::vector<Fit> find_fits(const std::vector<EarlierDetection>& earlier,
                           const std::vector<Box>& detections, int64_t now_ns) {
  std::vector<Fit> fits;
  const BoxIndex index(detections);
  const size_t oldest = earlier.size() - std::min(earlier.size(), kMaxEarlier);
  for (size_t second = oldest; second < earlier.size(); ++second)
    for (size_t first = oldest; first < second; ++first) {
      const EarlierDetection &a = earlier[first], &b = earlier[second];
      if (a.timestamp_ns == b.timestamp_ns || !similar(a.box, b.box)) continue;
      const EvenMotion motion(a, b, now_ns);
      index.near(motion.part, [&](size_t j) {
        if (!similar(b.box, detections[j])) return;
        const float error = motion.misfit(detections[j]);
        if (error < 1) fits.push_back({error, {first, second, j}});
      });
    }
  const size_t kept = std::min(fits.size(), kMaxFits);
  std::partial_sort(fits.begin(), fits.begin() + static_cast<std::ptrdiff_t>(kept), fits.end(),
                    better);
  fits.resize(kept);
  return fits;
}

/// Fits by the detections that they use; the best first.
class Rivals {
 public:
  Rivals(const std::vector<Fit>& fits, const std::vector<EarlierDetection>& earlier,
         const std::vector<Box>& detections)
      : earlier_(earlier),
        detections_(detections),
        of_earlier_(earlier.size()),
        of_detection_(detections.size()) {
    for (const Fit& fit : fits) {
      of_earlier_[fit.object.first].push_back(&fit);
      of_earlier_[fit.object.second].push_back(&fit);
      of_detection_[fit.object.detection].push_back(&fit);
    }
  }

  /// In a queue of similar objects the same detections also fit motions in other directions.
  bool any(const Fit& fit) const {
    return any(fit, of_earlier_[fit.object.first]) || any(fit, of_earlier_[fit.object.second]) ||
           any(fit, of_detection_[fit.object.detection]);
  }

 private:
  bool any(const Fit& fit, const std::vector<const Fit*>& others) const {
    const Point a = path(fit.object);
    for (const Fit* other : others) {
      if (other->error > kRivalRatio * fit.error + kRivalError) break;
      const Point b = path(other->object);
      if (dot(a, b) < kSameDirection * length(a) * length(b)) return true;
    }
    return false;
  }
  Point path(const FastObject& object) const {
    return detections_[object.detection].center() - earlier_[object.first].box.center();
  }

  const std::vector<EarlierDetection>& earlier_;
  const std::vector<Box>& detections_;
  std::vector<std::vector<const Fit*>> of_earlier_, of_detection_;
};

}  // namespace

std::vector<FastObject> find_fast_objects(const std::vector<EarlierDetection>& earlier,
                                          const std::vector<Box>& detections, int64_t now_ns) {
  const std::vector<Fit> fits = find_fits(earlier, detections, now_ns);
  const Rivals rivals(fits, earlier, detections);
  std::vector<FastObject> objects;
  std::vector<bool> linked(earlier.size()), taken(detections.size());
  for (const Fit& fit : fits) {
    const auto [first, second, detection] = fit.object;
    if (linked[first] || linked[second] || taken[detection] || rivals.any(fit)) continue;
    linked[first] = linked[second] = taken[detection] = true;
    objects.push_back(fit.object);
  }
  return objects;
}

}  // namespace tally
