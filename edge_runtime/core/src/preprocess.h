// Letterbox: rotate, convert, scale and centre a camera picture into the engine's input.
#pragma once

#include <string>
#include <vector>

#include "tally.h"

namespace tally {

/// Reads rows of the upright picture as three interleaved bytes a pixel.
class RowReader {
 public:
  explicit RowReader(const tally_image& image);

  int width() const { return width_; }
  int height() const { return height_; }
  /// True when rows come as B, G, R (no swap was spent on them), false for R, G, B.
  bool blue_first() const { return blue_first_; }
  /// Row `y` of the upright picture; points into the image, or into `scratch` (3 * width bytes).
  const uint8_t* row(int y, uint8_t* scratch) const;

 private:
  void copy_pixel(int x, int y, uint8_t* out) const;  // x, y in the stored picture
  void copy_yuv_row(int y, uint8_t* out) const;

  const tally_image& image_;
  int width_;
  int height_;
  bool blue_first_;
};

/// Bilinear horizontal taps of one output pixel: left sample, right sample, weight of the right.
struct Tap {
  int32_t left;
  int32_t right;
  uint16_t weight;  // of 256
};

class Preprocessor {
 public:
  tally_letterbox run(const tally_image& image, const tally_tensor& input);

  std::string error;

 private:
  struct Geometry {
    int source_width = 0, source_height = 0, width = 0, height = 0;
    bool operator==(const Geometry& other) const {
      return source_width == other.source_width && source_height == other.source_height &&
             width == other.width && height == other.height;
    }
  };
  void prepare(const Geometry& geometry);
  const uint16_t* blended_row(const RowReader& reader, int y);

  Geometry geometry_;
  std::vector<Tap> columns_;
  std::vector<Tap> rows_;
  std::vector<uint8_t> source_row_;
  std::vector<uint16_t> blended_[2];  // the last two source rows, scaled across, 8.8 fixed point
  int blended_y_[2] = {-1, -1};
  std::vector<uint8_t> pixels_;  // one finished row
};

}  // namespace tally
