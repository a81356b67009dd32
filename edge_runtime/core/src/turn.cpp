#include "exact_floats.h"

#include "turn.h"

#include <algorithm>
#include <cstring>

#include "processor.h"

namespace tally {
namespace {

constexpr int kBlock = 8;          // rows and columns of a block
constexpr int kCacheLine = 64;     // bytes
constexpr size_t kRowsApart = 64;  // after each row: no two start at the same place of the cache

/// Rows to read and where their samples go: row i of the source is column i of the target.
struct Strip {
  const uint8_t* source;
  std::ptrdiff_t source_step;  // bytes from row to row, below zero for upward
  uint8_t* target;
  size_t target_step;
};

#if defined(TALLY_SSE2)
__m128i load(const uint8_t* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); }
__m128i load_half(const uint8_t* at) {
  return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(at));
}
void store(__m128i value, uint8_t* at) { _mm_storeu_si128(reinterpret_cast<__m128i*>(at), value); }
void store_halves(__m128i value, uint8_t* low, uint8_t* high) {
  _mm_storel_epi64(reinterpret_cast<__m128i*>(low), value);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(high), _mm_unpackhi_epi64(value, value));
}

/// 8 x 8 samples of one byte.
void turn_block(const Strip& at, uint8_t) {
  __m128i pairs[4], fours[4];
  for (int i = 0; i < 4; ++i)
    pairs[i] = _mm_unpacklo_epi8(load_half(at.source + 2 * i * at.source_step),
                                 load_half(at.source + (2 * i + 1) * at.source_step));
  for (int i = 0; i < 2; ++i) {
    fours[2 * i] = _mm_unpacklo_epi16(pairs[2 * i], pairs[2 * i + 1]);
    fours[2 * i + 1] = _mm_unpackhi_epi16(pairs[2 * i], pairs[2 * i + 1]);
  }
  for (size_t i = 0; i < 2; ++i) {
    uint8_t* target = at.target + 4 * i * at.target_step;
    store_halves(_mm_unpacklo_epi32(fours[i], fours[i + 2]), target, target + at.target_step);
    store_halves(_mm_unpackhi_epi32(fours[i], fours[i + 2]), target + 2 * at.target_step,
                 target + 3 * at.target_step);
  }
}

/// 8 x 8 samples of two bytes.
void turn_block(const Strip& at, uint16_t) {
  __m128i rows[8], pairs[8], fours[8];
  for (int i = 0; i < 8; ++i) rows[i] = load(at.source + i * at.source_step);
  for (int i = 0; i < 4; ++i) {
    pairs[i] = _mm_unpacklo_epi16(rows[2 * i], rows[2 * i + 1]);      // columns 0 to 3
    pairs[i + 4] = _mm_unpackhi_epi16(rows[2 * i], rows[2 * i + 1]);  // columns 4 to 7
  }
  for (int i = 0; i < 4; ++i) {
    fours[2 * i] = _mm_unpacklo_epi32(pairs[2 * i], pairs[2 * i + 1]);
    fours[2 * i + 1] = _mm_unpackhi_epi32(pairs[2 * i], pairs[2 * i + 1]);
  }
  for (size_t i = 0; i < 4; ++i) {
    const size_t half = i / 2 * 4 + i % 2;  // of rows 0 to 3; two further on are rows 4 to 7
    uint8_t* target = at.target + 2 * i * at.target_step;
    store(_mm_unpacklo_epi64(fours[half], fours[half + 2]), target);
    store(_mm_unpackhi_epi64(fours[half], fours[half + 2]), target + at.target_step);
  }
}
#elif defined(TALLY_NEON)
/// 8 x 8 samples of one byte.
void turn_block(const Strip& at, uint8_t) {
  uint8x8_t rows[8];
  for (int i = 0; i < 8; ++i) rows[i] = vld1_u8(at.source + i * at.source_step);
  uint16x4x2_t pairs[4];
  for (int i = 0; i < 4; ++i) {
    const uint8x8x2_t zipped = vzip_u8(rows[2 * i], rows[2 * i + 1]);
    pairs[i] = {vreinterpret_u16_u8(zipped.val[0]), vreinterpret_u16_u8(zipped.val[1])};
  }
  uint32x2_t quads[2][4];  // of rows 0 to 3 and 4 to 7; of columns 0 1, 2 3, 4 5, 6 7
  for (int i = 0; i < 2; ++i)
    for (int half = 0; half < 2; ++half) {
      const uint16x4x2_t zipped = vzip_u16(pairs[2 * i].val[half], pairs[2 * i + 1].val[half]);
      quads[i][2 * half] = vreinterpret_u32_u16(zipped.val[0]);
      quads[i][2 * half + 1] = vreinterpret_u32_u16(zipped.val[1]);
    }
  for (size_t i = 0; i < 4; ++i) {
    const uint32x2x2_t zipped = vzip_u32(quads[0][i], quads[1][i]);
    vst1_u8(at.target + 2 * i * at.target_step, vreinterpret_u8_u32(zipped.val[0]));
    vst1_u8(at.target + (2 * i + 1) * at.target_step, vreinterpret_u8_u32(zipped.val[1]));
  }
}

/// 8 x 8 samples of two bytes.
void turn_block(const Strip& at, uint16_t) {
  uint32x4_t pairs[2][4];  // of columns 0 to 3 and 4 to 7; of rows 0 1, 2 3, 4 5, 6 7
  for (int i = 0; i < 4; ++i) {
    const uint16x8x2_t zipped =
        vzipq_u16(vreinterpretq_u16_u8(vld1q_u8(at.source + 2 * i * at.source_step)),
                  vreinterpretq_u16_u8(vld1q_u8(at.source + (2 * i + 1) * at.source_step)));
    pairs[0][i] = vreinterpretq_u32_u16(zipped.val[0]);
    pairs[1][i] = vreinterpretq_u32_u16(zipped.val[1]);
  }
  for (size_t half = 0; half < 2; ++half) {
    const uint32x4x2_t upper = vzipq_u32(pairs[half][0], pairs[half][1]);
    const uint32x4x2_t lower = vzipq_u32(pairs[half][2], pairs[half][3]);
    for (size_t i = 0; i < 2; ++i) {
      uint8_t* target = at.target + (4 * half + 2 * i) * at.target_step;
      const uint32x2_t low[2] = {vget_low_u32(upper.val[i]), vget_low_u32(lower.val[i])};
      const uint32x2_t high[2] = {vget_high_u32(upper.val[i]), vget_high_u32(lower.val[i])};
      vst1q_u8(target, vreinterpretq_u8_u32(vcombine_u32(low[0], low[1])));
      vst1q_u8(target + at.target_step, vreinterpretq_u8_u32(vcombine_u32(high[0], high[1])));
    }
  }
}
#else
template <typename Sample>
void turn_block(const Strip& at, Sample) {
  Sample block[kBlock][kBlock];
  for (int i = 0; i < kBlock; ++i)
    std::memcpy(block[i], at.source + i * at.source_step, sizeof block[i]);
  for (size_t x = 0; x < kBlock; ++x) {
    Sample column[kBlock];
    for (size_t y = 0; y < kBlock; ++y) column[y] = block[y][x];
    std::memcpy(at.target + x * at.target_step, column, sizeof column);
  }
}
#endif

/// Samples of four bytes: as wide as a register already, so plain copies do.
void turn_block(const Strip& at, uint32_t) {
  for (size_t x = 0; x < kBlock; ++x) {
    uint32_t column[kBlock];
    for (int y = 0; y < kBlock; ++y)
      std::memcpy(&column[y], at.source + y * at.source_step + 4 * x, 4);
    std::memcpy(at.target + x * at.target_step, column, sizeof column);
  }
}

Strip moved(const Strip& at, int rows, int columns, size_t sample_bytes) {
  return {at.source + rows * at.source_step + columns * sample_bytes, at.source_step,
          at.target + columns * at.target_step + rows * sample_bytes, at.target_step};
}

template <typename Sample>
void turn_strip(const Strip& strip, int rows, int columns) {
  const auto single = [&](int y, int x) {
    const Strip at = moved(strip, y, x, sizeof(Sample));
    std::memcpy(at.target, at.source, sizeof(Sample));
  };
  const int whole_rows = rows / kBlock * kBlock, whole_columns = columns / kBlock * kBlock;
  for (int y = 0; y < whole_rows; y += kBlock) {
    for (int x = 0; x < whole_columns; x += kBlock)
      turn_block(moved(strip, y, x, sizeof(Sample)), Sample{});
    for (int x = whole_columns; x < columns; ++x)
      for (int i = 0; i < kBlock; ++i) single(y + i, x);
  }
  for (int y = whole_rows; y < rows; ++y)
    for (int x = 0; x < columns; ++x) single(y, x);
}

/// Samples of three bytes to four, the last of any value.
void turn_triples(const Strip& strip, int rows, int columns) {
  for (int y = 0; y < rows; ++y) {
    const uint8_t* source = strip.source + y * strip.source_step;
    uint8_t* target = strip.target + 4 * static_cast<size_t>(y);
    for (int x = 0; x < columns; ++x, source += 3, target += strip.target_step)
      std::memcpy(target, source, 3);
  }
}

}  // namespace

void TurnedPlane::begin(const Plane& plane, bool upward) {
  plane_ = plane;
  upward_ = upward;
  band_columns_ = kCacheLine / (plane.sample_bytes == 3 ? 4 : plane.sample_bytes);
  row_bytes_ = static_cast<size_t>(plane.height) * (kCacheLine / band_columns_) + kRowsApart;
  for (Band& band : bands_) {
    band.first = -1;
    band.rows.resize(row_bytes_ * band_columns_);
  }
}

void TurnedPlane::turn(Band& band) const {
  const int columns = std::min(band_columns_, plane_.width - band.first);
  const size_t last = upward_ ? static_cast<size_t>(plane_.height - 1) * plane_.stride : 0;
  const auto step = static_cast<std::ptrdiff_t>(plane_.stride);
  const size_t across = static_cast<size_t>(band.first) * plane_.sample_bytes;
  const Strip strip{plane_.data + last + across, upward_ ? -step : step, band.rows.data(),
                    row_bytes_};
  switch (plane_.sample_bytes) {
    case 1: turn_strip<uint8_t>(strip, plane_.height, columns); break;
    case 2: turn_strip<uint16_t>(strip, plane_.height, columns); break;
    case 3: turn_triples(strip, plane_.height, columns); break;
    default: turn_strip<uint32_t>(strip, plane_.height, columns);
  }
}

const uint8_t* TurnedPlane::column(int x) {
  Band& band = bands_[x / band_columns_ % 2];
  const int first = x / band_columns_ * band_columns_;
  if (band.first != first) {
    band.first = first;
    turn(band);
  }
  return band.rows.data() + static_cast<size_t>(x - first) * row_bytes_;
}

}  // namespace tally
