// YUV 4:2:0 at half the size.
#pragma once

#include <cstddef>
#include <cstdint>

#include "yuv_rows.h"

namespace tally {

/// Two rows of luma that share their row of chroma.
struct YuvRowPair {
  const uint8_t* upper;
  const uint8_t* lower;
  ChromaRow chroma;
};

/// The rounded means of 2 x 2 converted pixels as R, G, B, or with `alpha` B, G, R, 255: the bytes
/// that YuvScaler gives. Does the first of `width` pixels, a multiple of 16, and returns how many:
/// none where the processor lacks the vectors.
size_t halve_yuv(const YuvToRgb& how, const YuvRowPair& rows, size_t width, bool alpha,
                 uint8_t* out);

}  // namespace tally
