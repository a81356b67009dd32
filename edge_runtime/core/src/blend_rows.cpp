#include "exact_floats.h"

#include "blend_rows.h"

#include <cstring>
#include <type_traits>

#include "processor.h"

namespace tally {
namespace {

/// Write pixels that `pixel(x)` gives as words, first byte lowest. Three bytes are written as four
/// of which the next pixel replaces one.
template <bool Alpha, typename Pixel>
void write_pixels(size_t width, uint8_t* out, const Pixel& pixel) {
  constexpr size_t kStep = Alpha ? 4 : 3;
  const auto put = [](uint32_t word, uint8_t* at, size_t count) {
    if (Alpha) word |= 0xFF000000u;
    const uint8_t bytes[4] = {static_cast<uint8_t>(word), static_cast<uint8_t>(word >> 8),
                              static_cast<uint8_t>(word >> 16), static_cast<uint8_t>(word >> 24)};
    std::memcpy(at, bytes, count);
  };
  for (size_t x = 0; x + 1 < width; ++x, out += kStep) put(pixel(x), out, 4);
  put(pixel(width - 1), out, kStep);
}

#if defined(TALLY_SSE2)
// Eight 16-bit lanes hold the values of a pixel beside those of its right-hand neighbor, and one
// instruction multiplies all by their weights and adds each pair.
template <size_t Step, bool Swap>
uint32_t blend_pixel(const uint16_t* source, const Tap& tap) {
  const uint16_t* at = source + Step * static_cast<size_t>(tap.first);
  const __m128i here = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(at));
  const __m128i next = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(at + Step));
  const __m128i weights = _mm_set1_epi32(tap.weight << 16 | (256 - tap.weight));
  const __m128i sums = _mm_madd_epi16(_mm_unpacklo_epi16(here, next), weights);
  __m128i wide = _mm_srli_epi32(_mm_add_epi32(sums, _mm_set1_epi32(1 << 14)), 15);
  if (Swap) wide = _mm_shuffle_epi32(wide, _MM_SHUFFLE(3, 0, 1, 2));
  const __m128i bytes = _mm_packus_epi16(_mm_packs_epi32(wide, wide), wide);
  return static_cast<uint32_t>(_mm_cvtsi128_si32(bytes));
}
#elif defined(TALLY_NEON)
template <size_t Step, bool Swap>
uint32_t blend_pixel(const uint16_t* source, const Tap& tap) {
  const uint16_t* at = source + Step * static_cast<size_t>(tap.first);
  const uint32x4_t sums = vmlal_n_u16(vmull_n_u16(vld1_u16(at), uint16_t(256 - tap.weight)),
                                      vld1_u16(at + Step), tap.weight);
  const uint16x4_t wide = vrshrn_n_u32(sums, 15);
  const uint8x8_t bytes = vmovn_u16(vcombine_u16(wide, wide));
  const uint32_t pixel = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);
  if (!Swap) return pixel;
  return (pixel & 0xFF00FF00u) | (pixel & 0xFFu) << 16 | (pixel >> 16 & 0xFFu);
}
#else
// Two 32-bit lanes of a 64-bit word, two products at once.
template <size_t Step, bool Swap>
uint32_t blend_pixel(const uint16_t* source, const Tap& tap) {
  constexpr uint64_t kLanes = 0x0000FFFF0000FFFFu;
  constexpr uint64_t kHalf = 0x0000400000004000u;
  uint64_t here, next;
  std::memcpy(&here, source + Step * static_cast<size_t>(tap.first), sizeof here);
  std::memcpy(&next, source + Step * (static_cast<size_t>(tap.first) + 1), sizeof next);
  const uint64_t right = tap.weight, left = 256 - right;
  const uint64_t outer = (here & kLanes) * left + (next & kLanes) * right + kHalf;
  const uint64_t inner = ((here >> 16) & kLanes) * left + ((next >> 16) & kLanes) * right + kHalf;
  const auto first = static_cast<uint8_t>(outer >> 15), third = static_cast<uint8_t>(outer >> 47);
  const auto second = static_cast<uint8_t>(inner >> 15);
  return (Swap ? third : first) | static_cast<uint32_t>(second) << 8 |
         static_cast<uint32_t>(Swap ? first : third) << 16;
}
#endif

// Plain loops of bytes, which compilers turn into shuffles. `first` is 2 to exchange the first and
// the third byte of a pixel, else 0.
TALLY_HOT void triples_to_triples(const uint8_t* source, size_t width, size_t first, uint8_t* out) {
  if (first == 0) {
    std::memcpy(out, source, 3 * width);
    return;
  }
  for (size_t x = 0; x < width; ++x) {
    out[3 * x] = source[3 * x + 2];
    out[3 * x + 1] = source[3 * x + 1];
    out[3 * x + 2] = source[3 * x];
  }
}

template <size_t Step, size_t First>
inline void opaque(const uint8_t* source, size_t width, uint8_t* out) {
  for (size_t x = 0; x < width; ++x) {
    out[4 * x] = source[Step * x + First];
    out[4 * x + 1] = source[Step * x + 1];
    out[4 * x + 2] = source[Step * x + 2 - First];
    out[4 * x + 3] = 255;
  }
}

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/// Four pixels of three bytes are three words; the number of pixels done.
template <size_t First>
inline size_t opaque_words(const uint8_t* source, size_t width, uint8_t* out) {
  size_t x = 0;
  for (; x + 4 <= width; x += 4) {
    uint32_t in[3];
    std::memcpy(in, source + 3 * x, sizeof in);
    uint32_t pixels[4] = {in[0], in[0] >> 24 | in[1] << 8, in[1] >> 16 | in[2] << 16, in[2] >> 8};
    for (uint32_t& pixel : pixels) {
      if (First == 2) pixel = (pixel & 0xFFu) << 16 | (pixel & 0xFF00u) | (pixel >> 16 & 0xFFu);
      pixel |= 0xFF000000u;
    }
    std::memcpy(out + 4 * x, pixels, sizeof pixels);
  }
  return x;
}
#else
template <size_t First>
size_t opaque_words(const uint8_t*, size_t, uint8_t*) {
  return 0;
}
#endif

template <size_t First>
inline void opaque_triples(const uint8_t* source, size_t width, uint8_t* out) {
  const size_t done = opaque_words<First>(source, width, out);
  opaque<3, First>(source + 3 * done, width - done, out + 4 * done);
}

TALLY_HOT void triples_to_quads(const uint8_t* source, size_t width, size_t first, uint8_t* out) {
  first == 0 ? opaque_triples<0>(source, width, out) : opaque_triples<2>(source, width, out);
}

TALLY_HOT void quads_to_quads(const uint8_t* source, size_t width, size_t first, uint8_t* out) {
  first == 0 ? opaque<4, 0>(source, width, out) : opaque<4, 2>(source, width, out);
}

template <bool Swap>
void quads_to_triples(const uint8_t* source, size_t width, uint8_t* out) {
  write_pixels<false>(width, out, [&](size_t x) {
    const uint8_t* at = source + 4 * x;
    return at[Swap ? 2 : 0] | static_cast<uint32_t>(at[1]) << 8 |
           static_cast<uint32_t>(at[Swap ? 0 : 2]) << 16;
  });
}

/// Call `body` with the form as constants: bytes of a source pixel, swap, alpha.
template <typename Body>
void with_constants(const PixelForm& form, const Body& body) {
  using std::bool_constant;
  const auto by_alpha = [&](auto step, auto swap) {
    form.alpha ? body(step, swap, bool_constant<true>{}) : body(step, swap, bool_constant<false>{});
  };
  const auto by_swap = [&](auto step) {
    form.swap ? by_alpha(step, bool_constant<true>{}) : by_alpha(step, bool_constant<false>{});
  };
  form.source_bytes == 3 ? by_swap(std::integral_constant<size_t, 3>{})
                         : by_swap(std::integral_constant<size_t, 4>{});
}

}  // namespace

TALLY_HOT void blend_down(const uint8_t* upper, const uint8_t* lower, int weight, size_t count,
                          uint16_t* out) {
  const auto below = static_cast<uint16_t>(weight), above = static_cast<uint16_t>(256 - weight);
  for (size_t i = 0; i < count; ++i)
    out[i] = static_cast<uint16_t>(static_cast<uint16_t>(upper[i] * above + lower[i] * below) >> 1);
}

void blend_across(const uint16_t* source, const Tap* taps, size_t width, const PixelForm& form,
                  uint8_t* out) {
  with_constants(form, [&](auto step, auto swap, auto alpha) {
    write_pixels<decltype(alpha)::value>(width, out, [&](size_t x) {
      return blend_pixel<decltype(step)::value, decltype(swap)::value>(source, taps[x]);
    });
  });
}

void copy_pixels(const uint8_t* source, size_t width, const PixelForm& form, uint8_t* out) {
  const size_t first = form.swap ? 2 : 0;
  if (form.alpha)
    (form.source_bytes == 3 ? triples_to_quads : quads_to_quads)(source, width, first, out);
  else if (form.source_bytes == 3)
    triples_to_triples(source, width, first, out);
  else
    (form.swap ? quads_to_triples<true> : quads_to_triples<false>)(source, width, out);
}

}  // namespace tally
