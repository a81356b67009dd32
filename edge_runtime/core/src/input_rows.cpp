#include "exact_floats.h"

#include "input_rows.h"

#include <algorithm>
#include <cstring>

#include "handle.h"
#include "processor.h"

namespace tally {
namespace {

constexpr int kMaxSide = 1 << 15;
constexpr uint8_t kGray = 114;
constexpr float kToUnit = 1.0f / 255.0f;

size_t element_bytes(int dtype) { return dtype == TALLY_FLOAT32 ? 4 : 1; }

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

TALLY_HOT void opaque_gray(uint8_t* out, size_t width) {
  constexpr uint8_t kPixel[4] = {kGray, kGray, kGray, 255};
  for (size_t x = 0; x < width; ++x) std::memcpy(out + 4 * x, kPixel, sizeof kPixel);
}

void store_values(int dtype, uint8_t* at, const uint8_t* values, size_t count) {
  if (dtype == TALLY_UINT8)
    std::memcpy(at, values, count);
  else if (dtype == TALLY_INT8)
    to_int8(values, count, reinterpret_cast<int8_t*>(at));
  else
    to_float(values, count, reinterpret_cast<float*>(at));
}

}  // namespace

InputRows::InputRows(const tally_tensor& input) : input_(input) {
  require(input.data != nullptr, "input buffer is NULL");
  require(
      input.width >= 1 && input.width <= kMaxSide && input.height >= 1 && input.height <= kMaxSide,
      "input sides must be 1 to 32768");
  require(input.dtype >= TALLY_UINT8 && input.dtype <= TALLY_FLOAT32, "unknown input dtype");
  require(input.layout == TALLY_NHWC || input.layout == TALLY_NCHW, "unknown input layout");
  require(input.channels == TALLY_CHANNELS_RGB || input.channels == TALLY_CHANNELS_BGRA,
          "unknown input channels");
  require(!alpha() || (input.dtype == TALLY_UINT8 && interleaved()),
          "a BGRA input must be uint8 and NHWC");
  const size_t packed = input.width * values_per_pixel() * element_bytes(input.dtype);
  const size_t rows = static_cast<size_t>(input.height) * (interleaved() ? 1 : 3);
  row_bytes_ = input.row_bytes == 0 ? packed : input.row_bytes;
  require(row_bytes_ >= packed, "input row_bytes is shorter than a row");
  require(row_bytes_ % element_bytes(input.dtype) == 0, "input row_bytes splits an element");
  if (input.row_bytes == 0)
    require(input.bytes == packed * rows, "input buffer has not the size of its shape");
  else
    require(input.bytes >= packed && (input.bytes - packed) / row_bytes_ >= rows - 1,
            "input buffer is smaller than its rows");
}

size_t InputRows::values_per_pixel() const {
  if (!interleaved()) return 1;
  return alpha() ? 4 : 3;
}

uint8_t* InputRows::at(int x, int y, size_t plane) const {
  const size_t row = plane * input_.height + y;
  const size_t across = x * values_per_pixel() * element_bytes(input_.dtype);
  return static_cast<uint8_t*>(input_.data) + row * row_bytes_ + across;
}

uint8_t* InputRows::in_place(int x, int y) const {
  return input_.dtype == TALLY_UINT8 && interleaved() ? at(x, y, 0) : nullptr;
}

void InputRows::store(int x, int y, const uint8_t* pixels, size_t width) const {
  if (interleaved()) {
    store_values(input_.dtype, at(x, y, 0), pixels, width * values_per_pixel());
    return;
  }
  uint8_t channel[256];
  for (size_t plane = 0; plane < 3; ++plane)
    for (size_t done = 0; done < width; done += sizeof channel) {
      const size_t count = std::min(width - done, sizeof channel);
      take_channel(pixels + 3 * done + plane, count, channel);
      store_values(input_.dtype, at(x + static_cast<int>(done), y, plane), channel, count);
    }
}

void InputRows::store_gray(int x, int y, size_t width) const {
  if (alpha()) {
    opaque_gray(at(x, y, 0), width);
    return;
  }
  const size_t values = width * values_per_pixel();
  for (size_t plane = 0; plane < (interleaved() ? 1u : 3u); ++plane) {
    uint8_t* row = at(x, y, plane);
    if (input_.dtype == TALLY_FLOAT32)
      std::fill_n(reinterpret_cast<float*>(row), values, kGray * kToUnit);
    else
      std::memset(row, input_.dtype == TALLY_UINT8 ? kGray : kGray ^ 0x80, values);
  }
}

}  // namespace tally
