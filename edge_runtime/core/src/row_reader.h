// Rows of a camera frame, upright, as three interleaved bytes per pixel.
#pragma once

#include "tally.h"

namespace tally {

/// Raise StatusError unless `image` is what its fields say and its planes hold all of it.
void check_image(const tally_image& image);

/// Reads a checked image, which must outlive the reader.
class RowReader {
 public:
  explicit RowReader(const tally_image& image);

  int width() const { return width_; }
  int height() const { return height_; }
  /// True when rows come as B, G, R (no swap was spent on them), false for R, G, B.
  bool blue_first() const { return blue_first_; }
  /// Row `y` of the upright frame; points into the image, or into `scratch` (3 * width bytes).
  const uint8_t* row(int y, uint8_t* scratch) const;

 private:
  void copy_pixel(int x, int y, uint8_t* out) const;  // x, y in the stored frame

  const tally_image& image_;
  int width_;
  int height_;
  bool blue_first_;
};

}  // namespace tally
