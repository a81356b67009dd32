// The engine's input buffer, row by row.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tally.h"

namespace tally {

/// Writes pixels of three bytes (four with alpha) into a tensor, as its dtype and layout ask.
class InputRows {
 public:
  /// Raises StatusError unless `input` is what its fields say and its buffer holds all of it.
  explicit InputRows(const tally_tensor& input);

  int width() const { return input_.width; }
  int height() const { return input_.height; }
  /// Whether pixels have four bytes B, G, R, 255 instead of three R, G, B.
  bool alpha() const { return input_.channels == TALLY_CHANNELS_BGRA; }
  /// Where a pixel is stored, if the buffer holds pixels as they are; else NULL.
  uint8_t* in_place(int x, int y) const;
  /// Write `width` pixels into row `y` from column `x` on.
  void store(int x, int y, const uint8_t* pixels, size_t width) const;
  /// Gray 114 over `width` pixels of row `y` from column `x` on.
  void store_gray(int x, int y, size_t width) const;

 private:
  bool interleaved() const { return input_.layout == TALLY_NHWC; }
  size_t values_per_pixel() const;  // of a row of the buffer
  uint8_t* at(int x, int y, size_t plane) const;

  const tally_tensor& input_;
  size_t row_bytes_;
};

}  // namespace tally
