// Detections that are left out before tracking: too small, too large, or in an ignored area.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "geometry.h"
#include "handle.h"
#include "tally.h"

namespace tally {

class DetectionFilter {
 public:
  explicit DetectionFilter(const tally_counter_options& options)
      : anchor_(options.anchor),
        min_size_(options.min_size),
        max_size_(options.max_size) {}

  /// Leave out detections whose anchor is inside this polygon.
  void ignore(std::vector<Point> corners) {
    require(corners.size() >= 3 && corners.size() <= kMaxCorners,
            "an ignored area has 3 to 1000 points");
    require(areas_.size() < kMaxAreas, "at most 256 ignored areas");
    for (const Point corner : corners)
      require(std::isfinite(corner.x) && std::isfinite(corner.y), "corners must be finite");
    areas_.push_back(std::move(corners));
  }

  bool keeps(const tally_detection& d) const {
    const Box box{d.x1, d.y1, d.x2, d.y2};
    const float size = box.size();
    if (size < min_size_ || size > max_size_) return false;
    const Point anchor = anchor_point(box, anchor_);
    return std::none_of(areas_.begin(), areas_.end(),
                        [&](const auto& corners) { return contains(corners, anchor); });
  }

  bool keeps_all() const {
    return min_size_ <= 0 && max_size_ >= std::numeric_limits<float>::max() && areas_.empty();
  }

  template <typename Archive>
  void persist(Archive& archive) {
    archive(min_size_, max_size_, areas_);
  }

 private:
  static constexpr size_t kMaxCorners = 1'000;
  static constexpr size_t kMaxAreas = 256;

  int32_t anchor_;
  float min_size_;  // in pixels
  float max_size_;
  std::vector<std::vector<Point>> areas_;
};

}  // namespace tally
