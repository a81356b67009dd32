#include "pixel_rows.h"

#include <algorithm>
#include <cstring>

#include "handle.h"

#if defined(__SSE2__) && !defined(TALLY_PORTABLE)
#include <emmintrin.h>
#endif

namespace tally {
namespace {

constexpr uint8_t kGrey = 114;
constexpr float kToUnit = 1.0f / 255.0f;

TALLY_HOT void swap_pixels(const uint8_t* source, size_t width, uint8_t* out) {
  for (size_t x = 0; x < width; ++x) {
    out[3 * x] = source[3 * x + 2];
    out[3 * x + 1] = source[3 * x + 1];
    out[3 * x + 2] = source[3 * x];
  }
}

TALLY_HOT void to_int8(const uint8_t* source, size_t count, int8_t* out) {
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<int8_t>(source[i] ^ 0x80);
}

TALLY_HOT void to_float(const uint8_t* source, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<float>(source[i]) * kToUnit;
}

/// Every third byte, so that what follows is contiguous.
TALLY_HOT void take_channel(const uint8_t* source, size_t width, uint8_t* out) {
  for (size_t x = 0; x < width; ++x) out[x] = source[3 * x];
}

void store_values(const tally_tensor& input, size_t at, const uint8_t* values, size_t count) {
  if (input.dtype == TALLY_UINT8)
    std::memcpy(static_cast<uint8_t*>(input.data) + at, values, count);
  else if (input.dtype == TALLY_INT8)
    to_int8(values, count, static_cast<int8_t*>(input.data) + at);
  else
    to_float(values, count, static_cast<float*>(input.data) + at);
}

size_t position(const tally_tensor& input, int x, int y) {
  return static_cast<size_t>(y) * input.width + x;
}

size_t area(const tally_tensor& input) { return static_cast<size_t>(input.width) * input.height; }

}  // namespace

TALLY_HOT void blend_down(const uint8_t* upper, const uint8_t* lower, int weight, size_t count,
                          uint16_t* out) {
  const auto below = static_cast<uint16_t>(weight), above = static_cast<uint16_t>(256 - weight);
  for (size_t i = 0; i < count; ++i)
    out[i] = static_cast<uint16_t>(static_cast<uint16_t>(upper[i] * above + lower[i] * below) >> 1);
}

// Eight 16-bit lanes hold the three values of a pixel beside those of its right-hand neighbor, and
// one instruction multiplies all by their weights and adds each pair.
#if defined(__SSE2__) && !defined(TALLY_PORTABLE)
void blend_across(const uint16_t* source, const Tap* taps, size_t width, bool swap, uint8_t* out) {
  const size_t first = swap ? 2 : 0;
  const __m128i half = _mm_set1_epi32(1 << 14);
  for (size_t x = 0; x < width; ++x, out += 3) {
    const uint16_t* at = source + 3 * static_cast<size_t>(taps[x].first);
    const __m128i here = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(at));
    const __m128i next = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(at + 3));
    const __m128i weights = _mm_set1_epi32(taps[x].weight << 16 | (256 - taps[x].weight));
    const __m128i sums = _mm_madd_epi16(_mm_unpacklo_epi16(here, next), weights);
    const __m128i wide = _mm_srli_epi32(_mm_add_epi32(sums, half), 15);
    const __m128i bytes = _mm_packus_epi16(_mm_packs_epi32(wide, wide), wide);
    const auto pixel = static_cast<uint32_t>(_mm_cvtsi128_si32(bytes));
    out[first] = static_cast<uint8_t>(pixel);
    out[1] = static_cast<uint8_t>(pixel >> 8);
    out[2 - first] = static_cast<uint8_t>(pixel >> 16);
  }
}
#else
// The same without such an instruction: two 32-bit lanes of a 64-bit word, two products at once.
void blend_across(const uint16_t* source, const Tap* taps, size_t width, bool swap, uint8_t* out) {
  constexpr uint64_t kLanes = 0x0000FFFF0000FFFFu;
  constexpr uint64_t kHalf = 0x0000400000004000u;
  const size_t first = swap ? 2 : 0;
  for (size_t x = 0; x < width; ++x, out += 3) {
    uint64_t here, next;
    std::memcpy(&here, source + 3 * static_cast<size_t>(taps[x].first), sizeof here);
    std::memcpy(&next, source + 3 * static_cast<size_t>(taps[x].first) + 3, sizeof next);
    const uint64_t right = taps[x].weight, left = 256 - right;
    const uint64_t outer = (here & kLanes) * left + (next & kLanes) * right + kHalf;
    const uint64_t inner = ((here >> 16) & kLanes) * left + ((next >> 16) & kLanes) * right + kHalf;
    out[first] = static_cast<uint8_t>(outer >> 15);
    out[1] = static_cast<uint8_t>(inner >> 15);
    out[2 - first] = static_cast<uint8_t>(outer >> 47);
  }
}
#endif

void copy_pixels(const uint8_t* source, size_t width, bool swap, uint8_t* out) {
  if (swap)
    swap_pixels(source, width, out);
  else
    std::memcpy(out, source, 3 * width);
}

void store_pixels(const tally_tensor& input, int x, int y, const uint8_t* rgb, size_t width) {
  const size_t at = position(input, x, y);
  if (input.layout == TALLY_NHWC) {
    store_values(input, 3 * at, rgb, 3 * width);
    return;
  }
  uint8_t channel[256];
  for (size_t plane = 0; plane < 3; ++plane)
    for (size_t done = 0; done < width; done += sizeof channel) {
      const size_t count = std::min(width - done, sizeof channel);
      take_channel(rgb + 3 * done + plane, count, channel);
      store_values(input, plane * area(input) + at + done, channel, count);
    }
}

void store_gray(const tally_tensor& input, int x, int y, size_t width) {
  const bool interleaved = input.layout == TALLY_NHWC;
  const size_t values = interleaved ? 3 * width : width;
  for (size_t plane = 0; plane < (interleaved ? 1u : 3u); ++plane) {
    const size_t at =
        interleaved ? 3 * position(input, x, y) : plane * area(input) + position(input, x, y);
    if (input.dtype == TALLY_FLOAT32)
      std::fill_n(static_cast<float*>(input.data) + at, values, kGrey * kToUnit);
    else
      std::memset(static_cast<uint8_t*>(input.data) + at,
                  input.dtype == TALLY_UINT8 ? kGrey : kGrey ^ 0x80, values);
  }
}

}  // namespace tally
