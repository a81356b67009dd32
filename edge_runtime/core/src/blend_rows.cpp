#include "exact_floats.h"

#include "blend_rows.h"

#include <cstring>
#include <type_traits>

#include "pixel_moves.h"
#include "processor.h"

namespace tally {
namespace {

/// Write `count` bytes of a pixel that is given as a word, first byte lowest.
template <bool Alpha>
void put_pixel(uint32_t word, uint8_t* at, size_t count) {
  if (Alpha) word |= 0xFF000000u;
  const uint8_t bytes[4] = {static_cast<uint8_t>(word), static_cast<uint8_t>(word >> 8),
                            static_cast<uint8_t>(word >> 16), static_cast<uint8_t>(word >> 24)};
  std::memcpy(at, bytes, count);
}

/// Write pixels that `pixel(x)` gives as words, first byte lowest. Three bytes are written as four
/// of which the next pixel replaces one.
template <bool Alpha, typename Pixel>
void write_pixels(size_t width, uint8_t* out, const Pixel& pixel) {
  constexpr size_t kStep = Alpha ? 4 : 3;
  for (size_t x = 0; x + 1 < width; ++x, out += kStep) put_pixel<Alpha>(pixel(x), out, 4);
  put_pixel<Alpha>(pixel(width - 1), out, kStep);
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

/// Pixels whose three bytes `pixel(x, i)` gives, from pixel `x` on.
template <typename Pixel>
void finish_row(size_t x, size_t width, const PixelForm& form, uint8_t* out, const Pixel& pixel) {
  const size_t step = form.alpha ? 4 : 3, first = form.swap ? 2 : 0;
  for (; x < width; ++x) {
    uint8_t* at = out + step * x;
    at[0] = pixel(x, first);
    at[1] = pixel(x, size_t{1});
    at[2] = pixel(x, 2 - first);
    if (form.alpha) at[3] = 255;
  }
}

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/// Pixels as words of four bytes, but for the last: after it there may be no byte to read.
template <size_t Step>
size_t pick_words(const uint8_t* source, const Tap* taps, size_t width, const PixelForm& form,
                  uint8_t* out) {
  const auto bytes = static_cast<size_t>(form.source_bytes);
  const int32_t last = taps[width - 1].first;
  const bool swap = form.swap;
  size_t x = 0;
  for (; taps[x].first < last; ++x, out += Step) {
    uint32_t word;
    std::memcpy(&word, source + bytes * static_cast<size_t>(taps[x].first), sizeof word);
    if (swap) word = (word & 0xFFu) << 16 | (word & 0xFF00u) | (word >> 16 & 0xFFu);
    if (Step == 4) word |= 0xFF000000u;
    std::memcpy(out, &word, sizeof word);
  }
  return x;
}
#else
template <size_t Step>
size_t pick_words(const uint8_t*, const Tap*, size_t, const PixelForm&, uint8_t*) {
  return 0;
}
#endif

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

void pick_across(const uint8_t* source, const Tap* taps, size_t width, const PixelForm& form,
                 uint8_t* out) {
  const auto bytes = static_cast<size_t>(form.source_bytes);
  const auto at = [&](size_t x) { return source + bytes * static_cast<size_t>(taps[x].first); };
  const size_t done = (form.alpha ? pick_words<4> : pick_words<3>)(source, taps, width, form, out);
  finish_row(done, width, form, out, [&](size_t x, size_t i) { return at(x)[i]; });
}

void halve_pixels(const uint8_t* upper, const uint8_t* lower, size_t width, const PixelForm& form,
                  uint8_t* out) {
  const auto bytes = static_cast<size_t>(form.source_bytes);
  const size_t done = halve({upper, lower, bytes}, width, form.swap, form.alpha, out);
  finish_row(done, width, form, out, [&](size_t x, size_t i) {
    const size_t at = 2 * x * bytes + i;
    const int sum = upper[at] + upper[at + bytes] + lower[at] + lower[at + bytes];
    return static_cast<uint8_t>((sum + 2) >> 2);
  });
}

void copy_pixels(const uint8_t* source, size_t width, const PixelForm& form, uint8_t* out) {
  const auto bytes = static_cast<size_t>(form.source_bytes);
  if (bytes == 3 && !form.alpha && !form.swap) {
    std::memcpy(out, source, 3 * width);
    return;
  }
  const size_t done = (form.alpha ? to_quads : to_triples)(source, bytes, width, form.swap, out);
  finish_row(done, width, form, out, [&](size_t x, size_t i) { return source[bytes * x + i]; });
}

}  // namespace tally
