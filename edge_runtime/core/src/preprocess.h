// Letterbox: rotate, convert, scale and center a camera frame into the engine's input.
#pragma once

#include <string>
#include <vector>

#include "blend_rows.h"
#include "input_rows.h"
#include "row_reader.h"
#include "tally.h"
#include "yuv_scaler.h"

namespace tally {

class Preprocessor {
 public:
  tally_letterbox run(const tally_image& image, const tally_tensor& input);

  std::string error;

 private:
  struct Geometry {
    int source_width = 0, source_height = 0, width = 0, height = 0;
    bool same_size() const { return source_width == width && source_height == height; }
    bool half_size() const { return source_width == 2 * width && source_height == 2 * height; }
    bool operator==(const Geometry& other) const {
      return source_width == other.source_width && source_height == other.source_height &&
             width == other.width && height == other.height;
    }
  };
  void prepare(const Geometry& geometry);
  const uint8_t* source_row(RowReader& reader, int y);
  void scaled_row(RowReader& reader, int y, const PixelForm& form, uint8_t* out);
  void gathered_row(RowReader& reader, int y, bool alpha, uint8_t* out);

  Geometry geometry_;
  std::vector<Tap> columns_;
  std::vector<Tap> rows_;
  bool nearest_ = false;  // no column lies between two pixels
  ReaderBuffers buffers_;
  YuvScaler yuv_;
  bool gathers_ = false;          // rows of this frame are scaled by `yuv_`
  std::vector<uint8_t> read_[2];  // the last two source rows, where they had to be converted
  int read_y_[2] = {-1, -1};
  std::vector<uint16_t> blended_;  // two source rows made one
  std::vector<uint8_t> pixels_;    // one finished row
};

}  // namespace tally
