// Non-maximum suppression.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "geometry.h"

namespace tally {

struct Candidate {
  Box box;  // engine input pixels
  float confidence;
  int32_t class_id;
};

struct SuppressLimits {
  float iou;              // boxes of one class are the same object above this
  float cross_class_iou;  // boxes of two classes above this; 1 or more: never
  size_t candidates;      // of these, best first
  size_t detections;      // kept
};

/// Greedy suppression, best first, ties in the order given. Its memory is kept from frame to frame.
class Suppressor {
 public:
  /// The candidates that are kept; valid until the next call.
  const std::vector<Candidate>& run(const std::vector<Candidate>& candidates,
                                    const SuppressLimits& limits);

 private:
  std::vector<uint64_t> order_;
  std::vector<Candidate> kept_;
};

}  // namespace tally
