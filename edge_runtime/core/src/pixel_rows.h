// The loops that touch every pixel.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tally.h"

namespace tally {

/// Bilinear taps of one output sample: its left (or upper) source sample, and of 256 the weight of
/// the one after it. The last sample has weight 0, so that nothing after it counts.
struct Tap {
  int32_t first;
  uint16_t weight;
};

/// Values that `blend_across` may read after the end of its source row.
constexpr size_t kOverread = 4;

/// out = (upper * (256 - weight) + lower * weight) / 2 for `count` bytes: 8.7 fixed point.
void blend_down(const uint8_t* upper, const uint8_t* lower, int weight, size_t count,
                uint16_t* out);

/// The same from left to right, rounded to bytes, for `width` pixels of three values; the first
/// and the third are exchanged on `swap`.
void blend_across(const uint16_t* source, const Tap* taps, size_t width, bool swap, uint8_t* out);

/// Copy `width` pixels of three bytes; B and R are exchanged on `swap`.
void copy_pixels(const uint8_t* source, size_t width, bool swap, uint8_t* out);

/// Write RGB pixels into row `y` of `input` from column `x` on, as its dtype and layout ask.
void store_pixels(const tally_tensor& input, int x, int y, const uint8_t* rgb, size_t width);

/// Gray 114 over `width` pixels of row `y` of `input` from column `x` on.
void store_gray(const tally_tensor& input, int x, int y, size_t width);

}  // namespace tally
