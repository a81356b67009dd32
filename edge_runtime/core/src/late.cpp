#include "exact_floats.h"

#include "late.h"

#include <algorithm>
#include <cmath>

#include "geometry.h"
#include "handle.h"
#include "options.h"

namespace tally {
namespace {

constexpr int32_t kMaxAnswers = 64;

Box box_of(const tally_detection& one) { return {one.x1, one.y1, one.x2, one.y2}; }

void check(const tally_detection* detections, int32_t count, double now_s) {
  require(count >= 0 && (detections != nullptr || count == 0), "detections are NULL");
  require(std::isfinite(now_s), "a time is not finite");
}

}  // namespace

tally_late_options late_defaults() { return {sizeof(tally_late_options), 9, 2.0, 0.5, 0.5}; }

Late::Late(const tally_late_options& options) : options_(options) {
  require(options.max_answers >= 1 && options.max_answers <= kMaxAnswers,
          "max_answers is not 1 to 64");
  require(options.keep_s >= 0, "keep_s is below 0");
  require(options.min_iou > 0 && options.min_iou <= 1, "min_iou is not above 0, up to 1");
  require(options.min_confidence >= 0 && options.min_confidence <= 1,
          "min_confidence is not 0 to 1");
}

void Late::note(const tally_detection* detections, int32_t count, double now_s) {
  check(detections, count, now_s);
  Answer answer{now_s, {}};
  std::copy_if(detections, detections + count, std::back_inserter(answer.objects),
               [&](const auto& one) { return one.confidence >= options_.min_confidence; });
  known_.erase(
      std::remove_if(known_.begin(), known_.end(),
                     [&](const Answer& one) { return now_s - one.at_s >= options_.keep_s; }),
      known_.end());
  while (known_.size() >= static_cast<size_t>(options_.max_answers)) known_.erase(known_.begin());
  known_.push_back(std::move(answer));
}

int32_t Late::apply(tally_detection* detections, int32_t count, double now_s) const {
  check(detections, count, now_s);
  int32_t changed = 0;
  for (int32_t i = 0; i < count; ++i) {
    const int32_t class_id = class_of(detections[i], now_s);
    changed += class_id != detections[i].class_id ? 1 : 0;
    detections[i].class_id = class_id;
  }
  return changed;
}

/// The class of the latest answer that found something in the same place.
int32_t Late::class_of(const tally_detection& one, double now_s) const {
  for (auto answer = known_.rbegin(); answer != known_.rend(); ++answer) {
    if (now_s - answer->at_s >= options_.keep_s) continue;
    const tally_detection* best = nullptr;
    float overlap = 0;
    for (const tally_detection& other : answer->objects) {
      const float shared = iou(box_of(one), box_of(other));
      if (best != nullptr && shared <= overlap) continue;
      best = &other;
      overlap = shared;
    }
    if (best != nullptr && overlap >= options_.min_iou) return best->class_id;
  }
  return one.class_id;
}

}  // namespace tally
