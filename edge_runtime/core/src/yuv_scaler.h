// Rows of YUV 4:2:0 made smaller: only the pixels that the taps read are converted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "blend_rows.h"
#include "yuv_rows.h"

namespace tally {

/// How the rows of a frame lie in memory.
struct YuvLayout {
  int width = 0;           // pixels
  bool pairs = false;      // U and V beside each other
  bool v_first = false;    // of pairs
  bool odd_start = false;  // the first chroma sample is for one pixel, the others for two
  bool mirrored = false;   // rows are read from right to left

  bool operator==(const YuvLayout& other) const {
    return width == other.width && pairs == other.pairs && v_first == other.v_first &&
           odd_start == other.odd_start && mirrored == other.mirrored;
  }
};

struct YuvRow {
  const uint8_t* luma;
  ChromaRow chroma;
};

/// Gives the bytes that conversion of whole rows, `blend_down` and `blend_across` give. Samples are
/// gathered 16 at a time by byte shuffles, where the processor has them.
class YuvScaler {
 public:
  /// Get ready for rows of `layout`; false where whole rows have to be converted.
  bool prepare(const YuvLayout& layout, const std::vector<Tap>& columns);

  /// One row of the input between two rows of the frame, of which `lower` has `weight` of 256: R,
  /// G, B, or with `alpha` B, G, R, 255.
  void row(const YuvToRgb& how, const YuvRow& upper, const YuvRow& lower, int weight, bool alpha,
           uint8_t* out) const;

  /// Where 16 samples lie: `loads` times 16 bytes from `start` on, each with a mask for the
  /// shuffle.
  struct Gather {
    int32_t start;
    int32_t loads;
    size_t masks;  // the first
  };
  /// 16 pixels of the input: those of the frame at their left taps, and at their right ones.
  struct Block {
    size_t x;
    Gather luma[2], u[2], v[2];
    int16_t weights[32];  // left, right, left, ...
    bool one_chroma;      // each pixel at a left tap has the chroma sample of its right neighbor
    bool halves;          // all weights are 128
  };
  struct Mask {
    uint8_t bytes[16];
  };

 private:
  void add_block(size_t x, const std::vector<Tap>& columns);
  Gather gather(const int (&positions)[16], int row_bytes);

  YuvLayout layout_;
  size_t columns_ = 0;
  bool usable_ = false;
  bool between_ = false;  // some tap lies between two pixels
  std::vector<Block> blocks_;
  std::vector<Mask> masks_;
};

}  // namespace tally
