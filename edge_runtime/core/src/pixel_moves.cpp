#include "exact_floats.h"

#include "pixel_moves.h"

#include "processor.h"

namespace tally {
namespace {

#if defined(TALLY_SHUFFLES)
constexpr int8_t kNone = -1;  // gives 0

TALLY_SHUFFLES_INLINE __m128i load(const uint8_t* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}
TALLY_SHUFFLES_INLINE void store(__m128i value, uint8_t* at) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(at), value);
}

/// Four pixels of four bytes as twelve, then four times 0.
TALLY_SHUFFLES_INLINE __m128i narrow(__m128i quads, bool swap) {
  const __m128i same =
      _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, kNone, kNone, kNone, kNone);
  const __m128i swapped =
      _mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, kNone, kNone, kNone, kNone);
  return _mm_shuffle_epi8(quads, swap ? swapped : same);
}

/// Each byte of two pixels beside that of their right neighbors, four values a pixel.
TALLY_SHUFFLES_INLINE __m128i neighbors(size_t pixel_bytes, bool swap) {
  if (pixel_bytes == 3)
    return swap ? _mm_setr_epi8(2, 5, 1, 4, 0, 3, kNone, kNone, 8, 11, 7, 10, 6, 9, kNone, kNone)
                : _mm_setr_epi8(0, 3, 1, 4, 2, 5, kNone, kNone, 6, 9, 7, 10, 8, 11, kNone, kNone);
  return swap ? _mm_setr_epi8(2, 6, 1, 5, 0, 4, kNone, kNone, 10, 14, 9, 13, 8, 12, kNone, kNone)
              : _mm_setr_epi8(0, 4, 1, 5, 2, 6, kNone, kNone, 8, 12, 9, 13, 10, 14, kNone, kNone);
}

/// The means of two pixels, eight values.
TALLY_SHUFFLES_INLINE __m128i means(const TwoRows& rows, size_t at, __m128i mask) {
  const __m128i one = _mm_set1_epi8(1);
  const __m128i upper = _mm_maddubs_epi16(_mm_shuffle_epi8(load(rows.upper + at), mask), one);
  const __m128i lower = _mm_maddubs_epi16(_mm_shuffle_epi8(load(rows.lower + at), mask), one);
  return _mm_srli_epi16(_mm_add_epi16(_mm_add_epi16(upper, lower), _mm_set1_epi16(2)), 2);
}
#elif defined(TALLY_NEON)
struct Pixels16 {
  uint8x16_t first, second, third;
};

Pixels16 load(const uint8_t* source, size_t pixel_bytes, bool swap) {
  if (pixel_bytes == 3) {
    const uint8x16x3_t in = vld3q_u8(source);
    return {in.val[swap ? 2 : 0], in.val[1], in.val[swap ? 0 : 2]};
  }
  const uint8x16x4_t in = vld4q_u8(source);
  return {in.val[swap ? 2 : 0], in.val[1], in.val[swap ? 0 : 2]};
}
#endif

}  // namespace

#if defined(TALLY_SHUFFLES)
TALLY_SHUFFLES size_t to_triples(const uint8_t* source, size_t pixel_bytes, size_t width, bool swap,
                                 uint8_t* out) {
  if (!has_shuffles()) return 0;
  size_t x = 0;
  // Of the sixteen bytes that are written the next step replaces the last ones.
  if (pixel_bytes == 4) {
    for (; x + 6 <= width; x += 4) store(narrow(load(source + 4 * x), swap), out + 3 * x);
    return x;
  }
  const __m128i mask = swap
                           ? _mm_setr_epi8(2, 1, 0, 5, 4, 3, 8, 7, 6, 11, 10, 9, 14, 13, 12, kNone)
                           : _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, kNone);
  for (; x + 6 <= width; x += 5) store(_mm_shuffle_epi8(load(source + 3 * x), mask), out + 3 * x);
  return x;
}

TALLY_SHUFFLES size_t to_quads(const uint8_t* source, size_t pixel_bytes, size_t width, bool swap,
                               uint8_t* out) {
  if (!has_shuffles()) return 0;
  const int8_t first = swap ? 2 : 0, third = swap ? 0 : 2;
  const auto step = static_cast<int8_t>(pixel_bytes);
  int8_t order[16];
  for (int8_t i = 0; i < 4; ++i) {
    const auto at = static_cast<int8_t>(step * i);
    order[4 * i] = static_cast<int8_t>(at + first);
    order[4 * i + 1] = static_cast<int8_t>(at + 1);
    order[4 * i + 2] = static_cast<int8_t>(at + third);
    order[4 * i + 3] = kNone;
  }
  const __m128i mask = _mm_loadu_si128(reinterpret_cast<const __m128i*>(order));
  const __m128i opaque = _mm_set1_epi32(static_cast<int>(0xFF000000u));
  size_t x = 0;
  for (; x + 6 <= width; x += 4)
    store(_mm_or_si128(_mm_shuffle_epi8(load(source + pixel_bytes * x), mask), opaque),
          out + 4 * x);
  return x;
}

TALLY_SHUFFLES size_t halve(const TwoRows& rows, size_t width, bool swap, bool alpha,
                            uint8_t* out) {
  if (!has_shuffles()) return 0;
  const size_t step = 4 * rows.pixel_bytes;  // of two means
  const __m128i mask = neighbors(rows.pixel_bytes, swap);
  const __m128i opaque = _mm_set1_epi32(static_cast<int>(0xFF000000u));
  size_t x = 0;
  for (size_t at = 0; x + 6 <= width; x += 4, at += 2 * step) {
    const __m128i quads = _mm_packus_epi16(means(rows, at, mask), means(rows, at + step, mask));
    if (alpha)
      store(_mm_or_si128(quads, opaque), out + 4 * x);
    else
      store(narrow(quads, false), out + 3 * x);
  }
  return x;
}
#elif defined(TALLY_NEON)
// clang has these instructions as macros, which take no list in braces.
size_t to_triples(const uint8_t* source, size_t pixel_bytes, size_t width, bool swap,
                  uint8_t* out) {
  size_t x = 0;
  for (; x + 16 <= width; x += 16) {
    const Pixels16 in = load(source + pixel_bytes * x, pixel_bytes, swap);
    const uint8x16x3_t pixels = {{in.first, in.second, in.third}};
    vst3q_u8(out + 3 * x, pixels);
  }
  return x;
}

size_t to_quads(const uint8_t* source, size_t pixel_bytes, size_t width, bool swap, uint8_t* out) {
  size_t x = 0;
  for (; x + 16 <= width; x += 16) {
    const Pixels16 in = load(source + pixel_bytes * x, pixel_bytes, swap);
    const uint8x16x4_t pixels = {{in.first, in.second, in.third, vdupq_n_u8(255)}};
    vst4q_u8(out + 4 * x, pixels);
  }
  return x;
}

size_t halve(const TwoRows& rows, size_t width, bool swap, bool alpha, uint8_t* out) {
  const auto mean = [](uint8x16_t upper, uint8x16_t lower) {
    return vrshrn_n_u16(vpadalq_u8(vpaddlq_u8(upper), lower), 2);
  };
  size_t x = 0;
  for (; x + 8 <= width; x += 8) {
    const size_t at = 2 * x * rows.pixel_bytes;
    const Pixels16 upper = load(rows.upper + at, rows.pixel_bytes, swap);
    const Pixels16 lower = load(rows.lower + at, rows.pixel_bytes, swap);
    const uint8x8_t first = mean(upper.first, lower.first);
    const uint8x8_t second = mean(upper.second, lower.second);
    const uint8x8_t third = mean(upper.third, lower.third);
    if (alpha) {
      const uint8x8x4_t pixels = {{first, second, third, vdup_n_u8(255)}};
      vst4_u8(out + 4 * x, pixels);
    } else {
      const uint8x8x3_t pixels = {{first, second, third}};
      vst3_u8(out + 3 * x, pixels);
    }
  }
  return x;
}
#else
size_t to_triples(const uint8_t*, size_t, size_t, bool, uint8_t*) { return 0; }
size_t to_quads(const uint8_t*, size_t, size_t, bool, uint8_t*) { return 0; }
size_t halve(const TwoRows&, size_t, bool, bool, uint8_t*) { return 0; }
#endif

}  // namespace tally
