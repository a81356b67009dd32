#include "exact_floats.h"

#include "yuv_half.h"

#include "processor.h"

#if defined(TALLY_SHUFFLES)
#define TALLY_WIDE __attribute__((target("avx2")))
// A call would carry the vectors through memory.
#define TALLY_WIDE_INLINE __attribute__((target("avx2"), always_inline)) inline
#include <immintrin.h>
#endif

namespace tally {

#if defined(TALLY_SHUFFLES)
namespace {

constexpr size_t kBlock = 16;

/// (value - 128) * 256 of sixteen samples.
struct Chroma16 {
  __m256i u, v;
};

TALLY_WIDE_INLINE Chroma16 load_chroma(const ChromaRow& chroma, size_t x) {
  const __m256i sign = _mm256_set1_epi16(static_cast<int16_t>(0x8000));
  const auto* at = reinterpret_cast<const __m128i*>(chroma.u + x);
  if (!chroma.pairs) {
    const auto* other = reinterpret_cast<const __m128i*>(chroma.v + x);
    return {
        _mm256_xor_si256(_mm256_slli_epi16(_mm256_cvtepu8_epi16(_mm_loadu_si128(at)), 8), sign),
        _mm256_xor_si256(_mm256_slli_epi16(_mm256_cvtepu8_epi16(_mm_loadu_si128(other)), 8), sign)};
  }
  const bool u_first = chroma.u < chroma.v;
  const uint8_t* first = (u_first ? chroma.u : chroma.v) + 2 * x;
  const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first));
  const __m256i low = _mm256_xor_si256(_mm256_slli_epi16(pairs, 8), sign);
  const __m256i high = _mm256_xor_si256(
      _mm256_and_si256(pairs, _mm256_set1_epi16(static_cast<int16_t>(0xff00))), sign);
  return u_first ? Chroma16{low, high} : Chroma16{high, low};
}

/// 32 times the light of the even and the odd pixels of a row.
struct Light {
  __m256i even, odd;
};

TALLY_WIDE_INLINE Light load_light(const YuvToRgb& how, const uint8_t* luma) {
  const __m256i gain = _mm256_set1_epi16(static_cast<int16_t>(how.luma_gain));
  const __m256i offset = _mm256_set1_epi16(how.luma_offset);
  const __m256i y = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(luma));
  const __m256i high = _mm256_and_si256(y, _mm256_set1_epi16(static_cast<int16_t>(0xff00)));
  return {_mm256_add_epi16(_mm256_mulhi_epu16(_mm256_slli_epi16(y, 8), gain), offset),
          _mm256_add_epi16(_mm256_mulhi_epu16(high, gain), offset)};
}

/// One channel of sixteen pixels: each of the four is clamped to a byte, then their rounded mean.
TALLY_WIDE_INLINE __m256i mean(const Light& upper, const Light& lower, __m256i tint) {
  const auto part = [&](__m256i light)
                        TALLY_WIDE { return _mm256_srai_epi16(_mm256_add_epi16(light, tint), 5); };
  const __m256i even = _mm256_packus_epi16(part(upper.even), part(lower.even));
  const __m256i odd = _mm256_packus_epi16(part(upper.odd), part(lower.odd));
  const __m256i one = _mm256_set1_epi8(1);
  const __m256i above = _mm256_maddubs_epi16(_mm256_unpacklo_epi8(even, odd), one);
  const __m256i below = _mm256_maddubs_epi16(_mm256_unpackhi_epi8(even, odd), one);
  const __m256i sum = _mm256_add_epi16(above, below);
  return _mm256_srli_epi16(_mm256_add_epi16(sum, _mm256_set1_epi16(2)), 2);
}

/// Sixteen pixels of four bytes, `first` lowest, as four vectors in order.
TALLY_WIDE_INLINE void store(__m256i first, __m256i second, __m256i third, bool alpha,
                             uint8_t* out) {
  const __m256i low = _mm256_or_si256(first, _mm256_slli_epi16(second, 8));
  const __m256i high =
      _mm256_or_si256(third, _mm256_set1_epi16(static_cast<int16_t>(alpha ? 0xff00 : 0)));
  __m256i left = _mm256_unpacklo_epi16(low, high), right = _mm256_unpackhi_epi16(low, high);
  if (!alpha) {
    const __m256i narrow = _mm256_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1,
                                            0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    left = _mm256_shuffle_epi8(left, narrow);
    right = _mm256_shuffle_epi8(right, narrow);
  }
  const size_t step = alpha ? 16 : 12;
  const auto put = [&](size_t i, __m128i value) TALLY_WIDE {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + step * i), value);
  };
  put(0, _mm256_castsi256_si128(left));
  put(1, _mm256_castsi256_si128(right));
  put(2, _mm256_extracti128_si256(left, 1));
  put(3, _mm256_extracti128_si256(right, 1));
}

TALLY_WIDE size_t halve_blocks(const YuvToRgb& how, const YuvRowPair& rows, size_t width,
                               bool alpha, uint8_t* out) {
  const __m256i red_of_v = _mm256_set1_epi16(how.red_of_v);
  const __m256i blue_of_u = _mm256_set1_epi16(how.blue_of_u);
  const __m256i green_of_u = _mm256_set1_epi16(how.green_of_u);
  const __m256i green_of_v = _mm256_set1_epi16(how.green_of_v);
  size_t x = 0;
  // Pixels of three bytes are written with some of the next ones, which must be in the row.
  for (; x + kBlock + 2 <= width; x += kBlock) {
    const Chroma16 chroma = load_chroma(rows.chroma, x);
    const Light upper = load_light(how, rows.upper + 2 * x);
    const Light lower = load_light(how, rows.lower + 2 * x);
    const __m256i red = mean(upper, lower, _mm256_mulhi_epi16(chroma.v, red_of_v));
    const __m256i blue = mean(upper, lower, _mm256_mulhi_epi16(chroma.u, blue_of_u));
    const __m256i taken = _mm256_add_epi16(_mm256_mulhi_epi16(chroma.u, green_of_u),
                                           _mm256_mulhi_epi16(chroma.v, green_of_v));
    const __m256i green = mean(upper, lower, _mm256_sub_epi16(_mm256_setzero_si256(), taken));
    if (alpha)
      store(blue, green, red, true, out + 4 * x);
    else
      store(red, green, blue, false, out + 3 * x);
  }
  return x;
}

}  // namespace

size_t halve_yuv(const YuvToRgb& how, const YuvRowPair& rows, size_t width, bool alpha,
                 uint8_t* out) {
  return __builtin_cpu_supports("avx2") != 0 ? halve_blocks(how, rows, width, alpha, out) : 0;
}
#else
size_t halve_yuv(const YuvToRgb&, const YuvRowPair&, size_t, bool, uint8_t*) { return 0; }
#endif

}  // namespace tally
