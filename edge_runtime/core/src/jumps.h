// Objects so fast that a new track cannot reach its second sighting.
#pragma once

#include <cstdint>
#include <vector>

#include "geometry.h"

namespace tally {

/// One place where something was seen once and has not been followed.
struct Sighting {
  Box box;
  int64_t timestamp_ns;
};

/// Sightings `first` and `second`, and a detection of now where their motion leads.
struct Jump {
  size_t first;
  size_t second;
  size_t detection;
};

/// Three sightings of about one size in even motion are one object (three-point initiation, as
/// radar trackers start tracks). Each sighting and detection is used once, best fits first.
/// `sightings` rise in time; only the newest few are looked at, so that the cost is bounded.
std::vector<Jump> find_jumps(const std::vector<Sighting>& sightings,
                             const std::vector<Box>& detections, int64_t now_ns);

}  // namespace tally
