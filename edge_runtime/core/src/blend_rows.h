// Bilinear scaling, a row at a time.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tally {

/// Bilinear taps of one output sample: its left (or upper) source sample, and of 256 the weight of
/// the one after it. The last sample has weight 0, so that nothing after it counts.
struct Tap {
  int32_t first;
  uint16_t weight;
};

/// How the pixels of a row become those of the input.
struct PixelForm {
  int source_bytes;  // 3 or 4 per pixel; a fourth is ignored
  bool swap;         // exchange the first and the third
  bool alpha;        // write four bytes, the last 255, instead of three
};

/// Values that `blend_across` may read after the end of its source row.
constexpr size_t kOverread = 4;

/// out = (upper * (256 - weight) + lower * weight) / 2 for `count` bytes: 8.7 fixed point.
void blend_down(const uint8_t* upper, const uint8_t* lower, int weight, size_t count,
                uint16_t* out);

/// The same from left to right, rounded to bytes, for `width` pixels, at least one; `source` is
/// what `blend_down` made.
void blend_across(const uint16_t* source, const Tap* taps, size_t width, const PixelForm& form,
                  uint8_t* out);

/// The same where `upper` and `lower` are one row and no tap has a weight.
void pick_across(const uint8_t* source, const Tap* taps, size_t width, const PixelForm& form,
                 uint8_t* out);

/// The same of two rows at half the size in both directions, where all weights are 128: the rounded
/// mean of four pixels.
void halve_pixels(const uint8_t* upper, const uint8_t* lower, size_t width, const PixelForm& form,
                  uint8_t* out);

/// Copy `width` pixels, at least one.
void copy_pixels(const uint8_t* source, size_t width, const PixelForm& form, uint8_t* out);

}  // namespace tally
