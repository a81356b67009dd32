// Rows of YUV 4:2:0 to RGB.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tally {

/// Fixed-point numbers of one range and matrix: products are taken of the sample times 256, and of
/// them the upper 16 bits, which are 32 times the value.
struct YuvToRgb {
  uint16_t luma_gain;
  int16_t luma_offset;  // rounding included
  int16_t red_of_v;
  int16_t green_of_u;
  int16_t green_of_v;
  int16_t blue_of_u;
};

/// The conversion of a tally_yuv_range and a tally_yuv_matrix (ITU-R BT.601-7, BT.709-6).
YuvToRgb yuv_to_rgb(int range, int matrix);

/// Where the chroma of a row is: U and V in planes of their own, or pairs of both.
struct ChromaRow {
  const uint8_t* u;
  const uint8_t* v;
  bool pairs;  // a sample is followed by one of the other plane
};

/// `width` pixels of four bytes R, G, B, 255. Each chroma sample is for two pixels; if `odd_start`,
/// the first is for one.
void yuv_row_to_rgbx(const YuvToRgb& how, const uint8_t* luma, const ChromaRow& chroma,
                     bool odd_start, size_t width, uint8_t* out);

}  // namespace tally
