#include "exact_floats.h"

#include "yuv_rows.h"

#include <algorithm>
#include <cmath>

#include "processor.h"
#include "tally.h"

namespace tally {
namespace {

constexpr int kScale = 32;  // fits 16 bits up to twice the largest value

/// The first `width` pixels, one by one.
void convert_plain(const YuvToRgb& how, const uint8_t* luma, const ChromaRow& chroma, size_t width,
                   uint8_t* out) {
  const size_t step = chroma.pairs ? 2 : 1;
  const auto byte = [](int scaled) {
    return static_cast<uint8_t>(std::clamp(scaled >> 5, 0, 255));
  };
  for (size_t x = 0; x < width; ++x, out += 4) {
    const int u = chroma.u[x / 2 * step] - 128, v = chroma.v[x / 2 * step] - 128;
    const int light = (luma[x] * how.luma_gain >> 8) + how.luma_offset;
    out[0] = byte(light + (v * how.red_of_v >> 8));
    out[1] = byte(light - (u * how.green_of_u >> 8) - (v * how.green_of_v >> 8));
    out[2] = byte(light + (u * how.blue_of_u >> 8));
    out[3] = 255;
  }
}

#if defined(TALLY_SSE2)
constexpr size_t kBlock = 16;

struct Chroma16 {
  __m128i u, v;  // eight samples, (value - 128) * 256
};

Chroma16 load_chroma(const ChromaRow& chroma, size_t x) {
  const __m128i sign = _mm_set1_epi16(static_cast<int16_t>(0x8000)), zero = _mm_setzero_si128();
  const auto upper = [&](const uint8_t* at) {
    return _mm_unpacklo_epi8(zero, _mm_loadl_epi64(reinterpret_cast<const __m128i*>(at)));
  };
  if (!chroma.pairs)
    return {_mm_xor_si128(upper(chroma.u + x / 2), sign),
            _mm_xor_si128(upper(chroma.v + x / 2), sign)};
  const bool u_first = chroma.u < chroma.v;
  const uint8_t* at = (u_first ? chroma.u : chroma.v) + x;
  const __m128i pairs = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  const __m128i first = _mm_xor_si128(_mm_slli_epi16(pairs, 8), sign);
  const __m128i second =
      _mm_xor_si128(_mm_and_si128(pairs, _mm_set1_epi16(static_cast<int16_t>(0xff00))), sign);
  return u_first ? Chroma16{first, second} : Chroma16{second, first};
}

/// Sixteen pixels at a time; the number converted.
size_t convert_blocks(const YuvToRgb& how, const uint8_t* luma, const ChromaRow& chroma,
                      size_t width, uint8_t* out) {
  const __m128i gain = _mm_set1_epi16(static_cast<int16_t>(how.luma_gain));
  const __m128i offset = _mm_set1_epi16(how.luma_offset), zero = _mm_setzero_si128();
  const __m128i red_of_v = _mm_set1_epi16(how.red_of_v), blue_of_u = _mm_set1_epi16(how.blue_of_u);
  const __m128i green_of_u = _mm_set1_epi16(how.green_of_u);
  const __m128i green_of_v = _mm_set1_epi16(how.green_of_v);
  const __m128i opaque = _mm_set1_epi8(-1);
  size_t x = 0;
  for (; x + kBlock <= width; x += kBlock) {
    const Chroma16 uv = load_chroma(chroma, x);
    const __m128i red = _mm_mulhi_epi16(uv.v, red_of_v), blue = _mm_mulhi_epi16(uv.u, blue_of_u);
    const __m128i green =
        _mm_add_epi16(_mm_mulhi_epi16(uv.u, green_of_u), _mm_mulhi_epi16(uv.v, green_of_v));
    const __m128i y = _mm_loadu_si128(reinterpret_cast<const __m128i*>(luma + x));
    const auto light = [&](__m128i samples) {
      return _mm_add_epi16(_mm_mulhi_epu16(samples, gain), offset);
    };
    const __m128i low = light(_mm_unpacklo_epi8(zero, y)), high = light(_mm_unpackhi_epi8(zero, y));
    const auto bytes = [](__m128i left, __m128i right) {
      return _mm_packus_epi16(_mm_srai_epi16(left, 5), _mm_srai_epi16(right, 5));
    };
    const __m128i r = bytes(_mm_add_epi16(low, _mm_unpacklo_epi16(red, red)),
                            _mm_add_epi16(high, _mm_unpackhi_epi16(red, red)));
    const __m128i g = bytes(_mm_sub_epi16(low, _mm_unpacklo_epi16(green, green)),
                            _mm_sub_epi16(high, _mm_unpackhi_epi16(green, green)));
    const __m128i b = bytes(_mm_add_epi16(low, _mm_unpacklo_epi16(blue, blue)),
                            _mm_add_epi16(high, _mm_unpackhi_epi16(blue, blue)));
    const __m128i rg[2] = {_mm_unpacklo_epi8(r, g), _mm_unpackhi_epi8(r, g)};
    const __m128i bx[2] = {_mm_unpacklo_epi8(b, opaque), _mm_unpackhi_epi8(b, opaque)};
    auto* pixels = reinterpret_cast<__m128i*>(out + 4 * x);
    for (int half = 0; half < 2; ++half) {
      _mm_storeu_si128(pixels + 2 * half, _mm_unpacklo_epi16(rg[half], bx[half]));
      _mm_storeu_si128(pixels + 2 * half + 1, _mm_unpackhi_epi16(rg[half], bx[half]));
    }
  }
  return x;
}
#elif defined(TALLY_NEON)
constexpr size_t kBlock = 16;

/// Sixteen pixels at a time; the number converted.
size_t convert_blocks(const YuvToRgb& how, const uint8_t* luma, const ChromaRow& chroma,
                      size_t width, uint8_t* out) {
  const int16x8_t offset = vdupq_n_s16(how.luma_offset);
  const auto product = [](int16x8_t samples, int16_t factor) {
    return vcombine_s16(vshrn_n_s32(vmull_n_s16(vget_low_s16(samples), factor), 8),
                        vshrn_n_s32(vmull_n_s16(vget_high_s16(samples), factor), 8));
  };
  const auto light = [&](uint8x8_t samples) {
    const uint16x8_t wide = vmovl_u8(samples);
    const uint16x8_t scaled =
        vcombine_u16(vshrn_n_u32(vmull_n_u16(vget_low_u16(wide), how.luma_gain), 8),
                     vshrn_n_u32(vmull_n_u16(vget_high_u16(wide), how.luma_gain), 8));
    return vaddq_s16(vreinterpretq_s16_u16(scaled), offset);
  };
  const auto centered = [](uint8x8_t samples) {
    return vreinterpretq_s16_u16(vsubl_u8(samples, vdup_n_u8(128)));
  };
  const auto bytes = [](int16x8_t left, int16x8_t right) {
    return vcombine_u8(vqmovun_s16(vshrq_n_s16(left, 5)), vqmovun_s16(vshrq_n_s16(right, 5)));
  };
  const bool u_first = chroma.u < chroma.v;
  size_t x = 0;
  for (; x + kBlock <= width; x += kBlock) {
    uint8x8_t u_bytes, v_bytes;
    if (chroma.pairs) {
      const uint8x8x2_t pairs = vld2_u8((u_first ? chroma.u : chroma.v) + x);
      u_bytes = pairs.val[u_first ? 0 : 1];
      v_bytes = pairs.val[u_first ? 1 : 0];
    } else {
      u_bytes = vld1_u8(chroma.u + x / 2);
      v_bytes = vld1_u8(chroma.v + x / 2);
    }
    const int16x8_t u = centered(u_bytes), v = centered(v_bytes);
    const int16x8_t red = product(v, how.red_of_v), blue = product(u, how.blue_of_u);
    const int16x8_t green = vaddq_s16(product(u, how.green_of_u), product(v, how.green_of_v));
    const uint8x16_t y = vld1q_u8(luma + x);
    const int16x8_t low = light(vget_low_u8(y)), high = light(vget_high_u8(y));
    const int16x8x2_t reds = vzipq_s16(red, red), greens = vzipq_s16(green, green);
    const int16x8x2_t blues = vzipq_s16(blue, blue);
    const uint8x16x4_t pixels = {
        bytes(vaddq_s16(low, reds.val[0]), vaddq_s16(high, reds.val[1])),
        bytes(vsubq_s16(low, greens.val[0]), vsubq_s16(high, greens.val[1])),
        bytes(vaddq_s16(low, blues.val[0]), vaddq_s16(high, blues.val[1])), vdupq_n_u8(255)};
    vst4q_u8(out + 4 * x, pixels);
  }
  return x;
}
#else
size_t convert_blocks(const YuvToRgb&, const uint8_t*, const ChromaRow&, size_t, uint8_t*) {
  return 0;
}
#endif

ChromaRow after(const ChromaRow& chroma, size_t samples) {
  const size_t bytes = samples * (chroma.pairs ? 2 : 1);
  return {chroma.u + bytes, chroma.v + bytes, chroma.pairs};
}

}  // namespace

YuvToRgb yuv_to_rgb(int range, int matrix) {
  const bool video = range == TALLY_VIDEO_RANGE;
  const double kr = matrix == TALLY_BT601 ? 0.299 : 0.2126;
  const double kb = matrix == TALLY_BT601 ? 0.114 : 0.0722, kg = 1 - kr - kb;
  const double luma = video ? 255.0 / 219 : 1, chroma = video ? 255.0 / 224 : 1;
  const auto fixed = [](double factor) {
    return static_cast<int16_t>(std::lround(factor * 256 * kScale));
  };
  YuvToRgb how;
  how.luma_gain = static_cast<uint16_t>(fixed(luma));
  const double black = video ? 16 : 0;
  // A product is cut, not rounded: half a unit too small on average, in both of its terms.
  how.luma_offset = static_cast<int16_t>(std::lround(kScale / 2.0 + 1 - black * luma * kScale));
  how.red_of_v = fixed(2 * (1 - kr) * chroma);
  how.blue_of_u = fixed(2 * (1 - kb) * chroma);
  how.green_of_u = fixed(2 * (1 - kb) * kb / kg * chroma);
  how.green_of_v = fixed(2 * (1 - kr) * kr / kg * chroma);
  return how;
}

void yuv_row_to_rgbx(const YuvToRgb& how, const uint8_t* luma, const ChromaRow& chroma,
                     bool odd_start, size_t width, uint8_t* out) {
  ChromaRow rest = chroma;
  if (odd_start) {
    convert_plain(how, luma, chroma, 1, out);
    rest = after(chroma, 1);
    luma += 1;
    width -= 1;
    out += 4;
  }
  const size_t done = convert_blocks(how, luma, rest, width, out);
  convert_plain(how, luma + done, after(rest, done / 2), width - done, out + 4 * done);
}

}  // namespace tally
