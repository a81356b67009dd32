// Fast objects: single detections far apart that lie on one even motion.
#pragma once

#include <cstdint>
#include <vector>

#include "geometry.h"

namespace tally {

/// A detection of an earlier frame that started a track and was not matched since.
struct EarlierDetection {
  Box box;
  int64_t timestamp_ns;
};

/// Earlier detections `first` and `second`, and a detection of this frame where their motion leads.
struct FastObject {
  size_t first;
  size_t second;
  size_t detection;
};

/// Three detections of about one size in even motion are one object (three-point initiation, as
/// radar trackers start tracks). Each detection is used once, best fits first.
/// `earlier` are in order of time; only the newest few are considered, so that the cost is bounded.
std::vector<FastObject> find_fast_objects(const std::vector<EarlierDetection>& earlier,
                                          const std::vector<Box>& detections, int64_t now_ns);

}  // namespace tally
