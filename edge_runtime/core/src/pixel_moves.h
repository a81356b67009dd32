// Loops over packed pixels by the shuffles of the processor: other orders and sizes of pixels, and
// half the size.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tally {

// Each does the first pixels of a row and returns how many: all but some at the end, which their
// vectors would read or write beyond the row, or none where the processor lacks the shuffles.
// `swap` exchanges the first and the third byte of a pixel.

/// Pixels of `pixel_bytes`, 3 or 4, as pixels of three bytes.
size_t to_triples(const uint8_t* source, size_t pixel_bytes, size_t width, bool swap, uint8_t* out);
/// As pixels of four bytes, the last 255.
size_t to_quads(const uint8_t* source, size_t pixel_bytes, size_t width, bool swap, uint8_t* out);

/// Two rows of pixels of 3 or 4 bytes.
struct TwoRows {
  const uint8_t* upper;
  const uint8_t* lower;
  size_t pixel_bytes;
};
/// The rounded means of 2 x 2 pixels, `width` of them, as three bytes, or with `alpha` four, the
/// last 255.
size_t halve(const TwoRows& rows, size_t width, bool swap, bool alpha, uint8_t* out);

}  // namespace tally
