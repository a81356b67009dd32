#include "exact_floats.h"

#include "yuv_scaler.h"

#include <algorithm>

#include "processor.h"
#include "yuv_half.h"

namespace tally {
namespace {

constexpr int kBlock = 16;

#if defined(TALLY_SHUFFLES)
struct Rgb16 {
  __m128i red, green, blue;  // bytes
};

// One row of the frame, with what its samples are gathered by.
struct Samples {
  const YuvToRgb& how;
  const YuvScaler::Mask* masks;
  const YuvRow& row;
};

TALLY_SHUFFLES inline __m128i load(const uint8_t* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}

TALLY_SHUFFLES inline __m128i gathered(const YuvScaler::Gather& from, const uint8_t* row,
                                       const YuvScaler::Mask* masks) {
  const uint8_t* at = row + from.start;
  const YuvScaler::Mask* mask = masks + from.masks;
  __m128i found = _mm_shuffle_epi8(load(at), load(mask->bytes));
  for (int i = 1; i < from.loads; ++i)
    found = _mm_or_si128(found, _mm_shuffle_epi8(load(at + 16 * i), load(mask[i].bytes)));
  return found;
}

TALLY_SHUFFLES inline __m128i bytes(__m128i low, __m128i high) {
  return _mm_packus_epi16(_mm_srai_epi16(low, 5), _mm_srai_epi16(high, 5));
}

/// What the chroma of sixteen pixels adds to red and blue and takes from green.
struct Tint {
  __m128i red[2], green[2], blue[2];
};

/// The arithmetic of `yuv_row_to_rgbx`, with a chroma sample for each pixel.
TALLY_SHUFFLES_INLINE Tint tint(const Samples& from, const YuvScaler::Block& block, int tap) {
  const ChromaRow& chroma = from.row.chroma;
  const uint8_t* u_row = chroma.pairs ? std::min(chroma.u, chroma.v) : chroma.u;
  const uint8_t* v_row = chroma.pairs ? u_row : chroma.v;
  const __m128i u = gathered(block.u[tap], u_row, from.masks);
  const __m128i v = gathered(block.v[tap], v_row, from.masks);
  const __m128i zero = _mm_setzero_si128(), sign = _mm_set1_epi16(static_cast<int16_t>(0x8000));
  const __m128i red_of_v = _mm_set1_epi16(from.how.red_of_v);
  const __m128i blue_of_u = _mm_set1_epi16(from.how.blue_of_u);
  const __m128i green_of_u = _mm_set1_epi16(from.how.green_of_u);
  const __m128i green_of_v = _mm_set1_epi16(from.how.green_of_v);
  const __m128i us[2] = {_mm_xor_si128(_mm_unpacklo_epi8(zero, u), sign),
                         _mm_xor_si128(_mm_unpackhi_epi8(zero, u), sign)};
  const __m128i vs[2] = {_mm_xor_si128(_mm_unpacklo_epi8(zero, v), sign),
                         _mm_xor_si128(_mm_unpackhi_epi8(zero, v), sign)};
  Tint found;
  for (int i = 0; i < 2; ++i) {
    found.red[i] = _mm_mulhi_epi16(vs[i], red_of_v);
    found.blue[i] = _mm_mulhi_epi16(us[i], blue_of_u);
    found.green[i] =
        _mm_add_epi16(_mm_mulhi_epi16(us[i], green_of_u), _mm_mulhi_epi16(vs[i], green_of_v));
  }
  return found;
}

TALLY_SHUFFLES_INLINE Rgb16 pixels(const Samples& from, const YuvScaler::Block& block, int tap,
                                   const Tint& tint) {
  const __m128i y = gathered(block.luma[tap], from.row.luma, from.masks);
  const __m128i zero = _mm_setzero_si128();
  const __m128i gain = _mm_set1_epi16(static_cast<int16_t>(from.how.luma_gain));
  const __m128i offset = _mm_set1_epi16(from.how.luma_offset);
  const __m128i low = _mm_add_epi16(_mm_mulhi_epu16(_mm_unpacklo_epi8(zero, y), gain), offset);
  const __m128i high = _mm_add_epi16(_mm_mulhi_epu16(_mm_unpackhi_epi8(zero, y), gain), offset);
  return {bytes(_mm_add_epi16(low, tint.red[0]), _mm_add_epi16(high, tint.red[1])),
          bytes(_mm_sub_epi16(low, tint.green[0]), _mm_sub_epi16(high, tint.green[1])),
          bytes(_mm_add_epi16(low, tint.blue[0]), _mm_add_epi16(high, tint.blue[1]))};
}

/// Eight values of `blend_down`, of the lower or upper half of the bytes.
template <bool High>
TALLY_SHUFFLES inline __m128i down(__m128i upper, __m128i lower, __m128i above, __m128i below) {
  const __m128i zero = _mm_setzero_si128();
  const __m128i a = High ? _mm_unpackhi_epi8(upper, zero) : _mm_unpacklo_epi8(upper, zero);
  const __m128i b = High ? _mm_unpackhi_epi8(lower, zero) : _mm_unpacklo_epi8(lower, zero);
  return _mm_srli_epi16(_mm_add_epi16(_mm_mullo_epi16(a, above), _mm_mullo_epi16(b, below)), 1);
}

/// Eight values of `blend_across`, before they are packed to bytes.
TALLY_SHUFFLES inline __m128i across(__m128i left, __m128i right, const int16_t* weights) {
  const auto* at = reinterpret_cast<const __m128i*>(weights);
  const __m128i half = _mm_set1_epi32(1 << 14);
  const __m128i low = _mm_madd_epi16(_mm_unpacklo_epi16(left, right), _mm_loadu_si128(at));
  const __m128i high = _mm_madd_epi16(_mm_unpackhi_epi16(left, right), _mm_loadu_si128(at + 1));
  return _mm_packs_epi32(_mm_srli_epi32(_mm_add_epi32(low, half), 15),
                         _mm_srli_epi32(_mm_add_epi32(high, half), 15));
}

struct Corners {
  __m128i upper[2], lower[2];  // at the left and the right taps
};

TALLY_SHUFFLES inline __m128i blended(const Corners& of, int weight, const int16_t* weights) {
  const __m128i above = _mm_set1_epi16(static_cast<int16_t>(256 - weight));
  const __m128i below = _mm_set1_epi16(static_cast<int16_t>(weight));
  const __m128i low = across(down<false>(of.upper[0], of.lower[0], above, below),
                             down<false>(of.upper[1], of.lower[1], above, below), weights);
  const __m128i high = across(down<true>(of.upper[0], of.lower[0], above, below),
                              down<true>(of.upper[1], of.lower[1], above, below), weights + 16);
  return _mm_packus_epi16(low, high);
}

/// Eight sums of the four corners, of the lower or upper half of the bytes.
template <bool High>
TALLY_SHUFFLES inline __m128i sums(const Corners& of) {
  const __m128i one = _mm_set1_epi8(1);
  const auto* upper = of.upper;
  const auto* lower = of.lower;
  const __m128i above =
      High ? _mm_unpackhi_epi8(upper[0], upper[1]) : _mm_unpacklo_epi8(upper[0], upper[1]);
  const __m128i below =
      High ? _mm_unpackhi_epi8(lower[0], lower[1]) : _mm_unpacklo_epi8(lower[0], lower[1]);
  return _mm_add_epi16(_mm_maddubs_epi16(above, one), _mm_maddubs_epi16(below, one));
}

/// `blended` at half size, where all weights are equal: the rounded mean of the four corners.
TALLY_SHUFFLES inline __m128i mean(const Corners& of) {
  const __m128i half = _mm_set1_epi16(2);
  return _mm_packus_epi16(_mm_srli_epi16(_mm_add_epi16(sums<false>(of), half), 2),
                          _mm_srli_epi16(_mm_add_epi16(sums<true>(of), half), 2));
}

TALLY_SHUFFLES inline void store(__m128i value, uint8_t* at) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(at), value);
}

TALLY_SHUFFLES inline void store_bgra(const Rgb16& of, uint8_t* out) {
  const __m128i opaque = _mm_set1_epi8(-1);
  const __m128i bg[2] = {_mm_unpacklo_epi8(of.blue, of.green),
                         _mm_unpackhi_epi8(of.blue, of.green)};
  const __m128i ra[2] = {_mm_unpacklo_epi8(of.red, opaque), _mm_unpackhi_epi8(of.red, opaque)};
  for (int i = 0; i < 2; ++i) {
    store(_mm_unpacklo_epi16(bg[i], ra[i]), out + 32 * i);
    store(_mm_unpackhi_epi16(bg[i], ra[i]), out + 32 * i + 16);
  }
}

TALLY_SHUFFLES inline void store_rgb(const Rgb16& of, uint8_t* out) {
  constexpr char kNone = -1;
  const __m128i first = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, kNone, kNone, kNone,
                                      kNone);  // four pixels of four bytes to twelve bytes
  const __m128i zero = _mm_setzero_si128();
  const __m128i rg[2] = {_mm_unpacklo_epi8(of.red, of.green), _mm_unpackhi_epi8(of.red, of.green)};
  const __m128i bx[2] = {_mm_unpacklo_epi8(of.blue, zero), _mm_unpackhi_epi8(of.blue, zero)};
  __m128i fours[4];
  for (int i = 0; i < 2; ++i) {
    fours[2 * i] = _mm_shuffle_epi8(_mm_unpacklo_epi16(rg[i], bx[i]), first);
    fours[2 * i + 1] = _mm_shuffle_epi8(_mm_unpackhi_epi16(rg[i], bx[i]), first);
  }
  store(_mm_or_si128(fours[0], _mm_slli_si128(fours[1], 12)), out);
  store(_mm_or_si128(_mm_srli_si128(fours[1], 4), _mm_slli_si128(fours[2], 8)), out + 16);
  store(_mm_or_si128(_mm_srli_si128(fours[2], 8), _mm_slli_si128(fours[3], 4)), out + 32);
}

/// One output block. Neighbors that share their chroma samples, as all four do at half size, share
/// their tint.
TALLY_SHUFFLES Rgb16 scaled(const Samples& upper, const Samples& lower, int weight, bool between,
                            const YuvScaler::Block& block) {
  const Tint left_tint = tint(upper, block, 0);
  const Rgb16 left = pixels(upper, block, 0, left_tint);
  const bool one_row = upper.row.chroma.u == lower.row.chroma.u;
  const Tint right_tint = block.one_chroma || !between ? left_tint : tint(upper, block, 1);
  const Rgb16 right = between ? pixels(upper, block, 1, right_tint) : left;
  Rgb16 left_below = left, right_below = right;
  if (weight != 0) {
    const Tint below = one_row ? left_tint : tint(lower, block, 0);
    left_below = right_below = pixels(lower, block, 0, below);
    if (between) {
      const Tint beside = one_row ? right_tint : block.one_chroma ? below : tint(lower, block, 1);
      right_below = pixels(lower, block, 1, beside);
    }
  }
  const Corners red{{left.red, right.red}, {left_below.red, right_below.red}};
  const Corners green{{left.green, right.green}, {left_below.green, right_below.green}};
  const Corners blue{{left.blue, right.blue}, {left_below.blue, right_below.blue}};
  if (weight == 128 && block.halves) return {mean(red), mean(green), mean(blue)};
  const int16_t* weights = block.weights;
  return {blended(red, weight, weights), blended(green, weight, weights),
          blended(blue, weight, weights)};
}

TALLY_SHUFFLES void scale_blocks(const std::vector<YuvScaler::Block>& blocks, size_t first,
                                 const Samples& upper, const Samples& lower, int weight,
                                 bool between, bool alpha, uint8_t* out) {
  const bool nearest = weight == 0 && !between;
  for (size_t i = first; i < blocks.size(); ++i) {
    const YuvScaler::Block& block = blocks[i];
    const Rgb16 found = nearest ? pixels(upper, block, 0, tint(upper, block, 0))
                                : scaled(upper, lower, weight, between, block);
    if (alpha)
      store_bgra(found, out + 4 * block.x);
    else
      store_rgb(found, out + 3 * block.x);
  }
}
#else
bool has_shuffles() { return false; }

struct Samples {
  const YuvToRgb& how;
  const YuvScaler::Mask* masks;
  const YuvRow& row;
};

void scale_blocks(const std::vector<YuvScaler::Block>&, size_t, const Samples&, const Samples&, int,
                  bool, bool, uint8_t*) {}
#endif

}  // namespace

YuvScaler::Gather YuvScaler::gather(const int (&positions)[16], int row_bytes) {
  const auto [least, most] = std::minmax_element(std::begin(positions), std::end(positions));
  const int loads = (*most - *least) / kBlock + 1;
  const int start = std::min(*least, row_bytes - kBlock * loads);  // no read after the row
  if (start < 0) usable_ = false;
  const Gather found{start, loads, masks_.size()};
  for (int i = 0; i < loads; ++i) {
    Mask mask;
    for (int k = 0; k < kBlock; ++k) {
      const int at = positions[k] - start - kBlock * i;
      mask.bytes[k] = static_cast<uint8_t>(at >= 0 && at < kBlock ? at : 0x80);  // 0x80 gives 0
    }
    masks_.push_back(mask);
  }
  return found;
}

void YuvScaler::add_block(size_t x, const std::vector<Tap>& columns) {
  Block block;
  block.x = x;
  const int samples = (layout_.width + 1 + (layout_.odd_start ? 1 : 0)) / 2;
  const int step = layout_.pairs ? 2 : 1;
  int u[2][16], v[2][16];
  for (int tap = 0; tap < 2; ++tap) {
    int luma[16];
    for (int k = 0; k < kBlock; ++k) {
      const int column = std::min(columns[x + k].first + tap, layout_.width - 1);
      luma[k] = layout_.mirrored ? layout_.width - 1 - column : column;
      const int chroma = step * ((luma[k] + (layout_.odd_start ? 1 : 0)) / 2);
      u[tap][k] = chroma + (layout_.pairs && layout_.v_first ? 1 : 0);
      v[tap][k] = chroma + (layout_.pairs && !layout_.v_first ? 1 : 0);
    }
    block.luma[tap] = gather(luma, layout_.width);
    block.u[tap] = gather(u[tap], step * samples);
    block.v[tap] = gather(v[tap], step * samples);
  }
  block.one_chroma = std::equal(std::begin(u[0]), std::end(u[0]), std::begin(u[1]));
  for (int k = 0; k < kBlock; ++k) {
    const uint16_t weight = columns[x + k].weight;
    if (weight != 0) between_ = true;
    block.weights[2 * k] = static_cast<int16_t>(256 - weight);
    block.weights[2 * k + 1] = static_cast<int16_t>(weight);
  }
  block.halves = std::all_of(std::begin(block.weights), std::end(block.weights),
                             [](int16_t weight) { return weight == 128; });
  blocks_.push_back(block);
}

bool YuvScaler::prepare(const YuvLayout& layout, const std::vector<Tap>& columns) {
  if (layout == layout_ && columns.size() == columns_) return usable_;
  layout_ = layout;
  columns_ = columns.size();
  blocks_.clear();
  masks_.clear();
  between_ = false;
  // With fewer pixels left out, converting each of them once costs less.
  usable_ =
      has_shuffles() && columns_ >= kBlock && 2 * static_cast<size_t>(layout.width) >= 3 * columns_;
  for (size_t x = 0; usable_ && x < columns_; x += kBlock)
    add_block(std::min(x, columns_ - kBlock), columns);
  return usable_;
}

void YuvScaler::row(const YuvToRgb& how, const YuvRow& upper, const YuvRow& lower, int weight,
                    bool alpha, uint8_t* out) const {
  const bool halves = 2 * columns_ == static_cast<size_t>(layout_.width) && weight == 128 &&
                      upper.chroma.u == lower.chroma.u && !layout_.mirrored && !layout_.odd_start;
  const size_t done =
      halves ? halve_yuv(how, {upper.luma, lower.luma, upper.chroma}, columns_, alpha, out) : 0;
  scale_blocks(blocks_, done / kBlock, {how, masks_.data(), upper}, {how, masks_.data(), lower},
               weight, between_, alpha, out);
}

}  // namespace tally
