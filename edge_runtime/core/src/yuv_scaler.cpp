#include "exact_floats.h"

#include "yuv_scaler.h"

#include <algorithm>

#include "processor.h"

#if defined(TALLY_SSE2) && defined(__GNUC__)
#define TALLY_SHUFFLES __attribute__((target("ssse3")))
#include <tmmintrin.h>
#endif

namespace tally {
namespace {

constexpr int kBlock = 16;

#if defined(TALLY_SHUFFLES)
bool has_shuffles() { return __builtin_cpu_supports("ssse3") != 0; }

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

/// The arithmetic of `yuv_row_to_rgbx`, with a chroma sample for each pixel.
TALLY_SHUFFLES inline Rgb16 converted(const YuvToRgb& how, __m128i y, __m128i u, __m128i v) {
  const __m128i zero = _mm_setzero_si128(), sign = _mm_set1_epi16(static_cast<int16_t>(0x8000));
  const __m128i gain = _mm_set1_epi16(static_cast<int16_t>(how.luma_gain));
  const __m128i offset = _mm_set1_epi16(how.luma_offset);
  const __m128i red_of_v = _mm_set1_epi16(how.red_of_v), blue_of_u = _mm_set1_epi16(how.blue_of_u);
  const __m128i green_of_u = _mm_set1_epi16(how.green_of_u);
  const __m128i green_of_v = _mm_set1_epi16(how.green_of_v);
  const __m128i light[2] = {
      _mm_add_epi16(_mm_mulhi_epu16(_mm_unpacklo_epi8(zero, y), gain), offset),
      _mm_add_epi16(_mm_mulhi_epu16(_mm_unpackhi_epi8(zero, y), gain), offset)};
  const __m128i us[2] = {_mm_xor_si128(_mm_unpacklo_epi8(zero, u), sign),
                         _mm_xor_si128(_mm_unpackhi_epi8(zero, u), sign)};
  const __m128i vs[2] = {_mm_xor_si128(_mm_unpacklo_epi8(zero, v), sign),
                         _mm_xor_si128(_mm_unpackhi_epi8(zero, v), sign)};
  __m128i red[2], green[2], blue[2];
  for (int i = 0; i < 2; ++i) {
    red[i] = _mm_add_epi16(light[i], _mm_mulhi_epi16(vs[i], red_of_v));
    blue[i] = _mm_add_epi16(light[i], _mm_mulhi_epi16(us[i], blue_of_u));
    green[i] = _mm_sub_epi16(light[i], _mm_add_epi16(_mm_mulhi_epi16(us[i], green_of_u),
                                                     _mm_mulhi_epi16(vs[i], green_of_v)));
  }
  return {bytes(red[0], red[1]), bytes(green[0], green[1]), bytes(blue[0], blue[1])};
}

TALLY_SHUFFLES inline Rgb16 pixels(const Samples& from, const YuvScaler::Block& block, int tap) {
  const ChromaRow& chroma = from.row.chroma;
  const uint8_t* u = chroma.pairs ? std::min(chroma.u, chroma.v) : chroma.u;
  const uint8_t* v = chroma.pairs ? u : chroma.v;
  return converted(from.how, gathered(block.luma[tap], from.row.luma, from.masks),
                   gathered(block.u[tap], u, from.masks), gathered(block.v[tap], v, from.masks));
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

TALLY_SHUFFLES Rgb16 scaled(const Samples& upper, const Samples& lower, int weight, bool between,
                            const YuvScaler::Block& block) {
  const Rgb16 left = pixels(upper, block, 0);
  if (weight == 0 && !between) return left;
  const Rgb16 right = between ? pixels(upper, block, 1) : left;
  const Rgb16 left_below = weight == 0 ? left : pixels(lower, block, 0);
  const Rgb16 beside_below = between ? pixels(lower, block, 1) : left_below;
  const Rgb16 last = weight == 0 ? right : beside_below;
  const int16_t* weights = block.weights;
  return {blended({{left.red, right.red}, {left_below.red, last.red}}, weight, weights),
          blended({{left.green, right.green}, {left_below.green, last.green}}, weight, weights),
          blended({{left.blue, right.blue}, {left_below.blue, last.blue}}, weight, weights)};
}

TALLY_SHUFFLES void scale_blocks(const std::vector<YuvScaler::Block>& blocks, const Samples& upper,
                                 const Samples& lower, int weight, bool between, bool alpha,
                                 uint8_t* out) {
  for (const YuvScaler::Block& block : blocks) {
    const Rgb16 found = scaled(upper, lower, weight, between, block);
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

void scale_blocks(const std::vector<YuvScaler::Block>&, const Samples&, const Samples&, int, bool,
                  bool, uint8_t*) {}
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
  for (int tap = 0; tap < 2; ++tap) {
    int luma[16], u[16], v[16];
    for (int k = 0; k < kBlock; ++k) {
      const int column = std::min(columns[x + k].first + tap, layout_.width - 1);
      luma[k] = layout_.mirrored ? layout_.width - 1 - column : column;
      const int chroma = step * ((luma[k] + (layout_.odd_start ? 1 : 0)) / 2);
      u[k] = chroma + (layout_.pairs && layout_.v_first ? 1 : 0);
      v[k] = chroma + (layout_.pairs && !layout_.v_first ? 1 : 0);
    }
    block.luma[tap] = gather(luma, layout_.width);
    block.u[tap] = gather(u, step * samples);
    block.v[tap] = gather(v, step * samples);
  }
  for (int k = 0; k < kBlock; ++k) {
    const uint16_t weight = columns[x + k].weight;
    if (weight != 0) between_ = true;
    block.weights[2 * k] = static_cast<int16_t>(256 - weight);
    block.weights[2 * k + 1] = static_cast<int16_t>(weight);
  }
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
  scale_blocks(blocks_, {how, masks_.data(), upper}, {how, masks_.data(), lower}, weight, between_,
               alpha, out);
}

}  // namespace tally
