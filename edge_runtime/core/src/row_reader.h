// Rows of a camera frame, upright, as interleaved bytes.
#pragma once

#include <vector>

#include "tally.h"
#include "turn.h"
#include "yuv_rows.h"
#include "yuv_scaler.h"

namespace tally {

/// Raise StatusError unless `image` is what its fields say and its planes hold all of it.
void check_image(const tally_image& image);

/// Memory of a RowReader, kept from frame to frame.
struct ReaderBuffers {
  TurnedPlane turned[3];
  std::vector<uint8_t> chroma;  // as pairs, where the image has it in another way
};

/// Reads a checked image, which must outlive the reader.
class RowReader {
 public:
  RowReader(const tally_image& image, ReaderBuffers& buffers);

  int width() const { return width_; }
  int height() const { return height_; }
  /// Bytes of a pixel of `row`, 3 or 4; the fourth has no meaning.
  int pixel_bytes() const { return pixel_bytes_; }
  /// True when rows come as B, G, R (no swap was spent on them), false for R, G, B.
  bool blue_first() const { return blue_first_; }
  /// Row `y` of the upright frame; points into the image, into `scratch` (4 * width bytes), or to
  /// memory that lives until the row after the next but one is read.
  const uint8_t* row(int y, uint8_t* scratch);

  /// Whether the frame is YUV; then also:
  bool yuv() const { return packed_bytes_ == 0; }
  const YuvToRgb& conversion() const { return conversion_; }
  YuvLayout layout() const;
  /// Samples of row `y`, in the layout; valid as long as those of `row`.
  YuvRow samples(int y);

 private:
  bool turned() const { return image_.rotation == 90 || image_.rotation == 270; }
  void find_chroma();
  void pair_chroma();
  const uint8_t* packed_row(int y, uint8_t* scratch);
  void yuv_row(int y, uint8_t* out);
  ChromaRow chroma_row(const uint8_t* first, const uint8_t* second) const;

  const tally_image& image_;
  ReaderBuffers& buffers_;
  int width_;
  int height_;
  int packed_bytes_;  // of a pixel of a packed format; 0 for YUV
  int pixel_bytes_;
  bool blue_first_;
  YuvToRgb conversion_{};
  bool v_first_ = false;  // of pairs
  Plane chroma_[2];       // U and V, or pairs in the first
};

}  // namespace tally
