#include "exact_floats.h"

#include "row_reader.h"

#include <algorithm>
#include <cstring>

#include "handle.h"
#include "processor.h"

namespace tally {
namespace {

constexpr int kMaxSide = 1 << 15;
constexpr int kMaxChromaStep = 16;

int bytes_per_pixel(int format) {
  if (format == TALLY_BGR || format == TALLY_RGB) return 3;
  return format == TALLY_BGRA || format == TALLY_RGBA ? 4 : 0;
}

int half(int side) { return (side + 1) / 2; }

int chroma_step(const tally_image& image) {
  if (image.format != TALLY_I420) return 2;
  return image.chroma_step == 0 ? 1 : image.chroma_step;
}

void check_plane(const tally_image& image, int plane, size_t row_bytes, int rows,
                 size_t missing = 0) {
  require(image.planes[plane] != nullptr, "image plane is NULL");
  const auto stride = static_cast<size_t>(std::max(image.strides[plane], 0));
  require(stride >= row_bytes, "image stride is shorter than a row");
  const size_t needed = stride * (rows - 1) + row_bytes - missing;
  require(image.plane_bytes[plane] >= needed, "image plane is smaller than its rows");
}

/// Bytes of the chroma plane of a format of pairs.
size_t pair_bytes(const tally_image& image) {
  return static_cast<size_t>(image.strides[1]) * (half(image.height) - 1) + 2 * half(image.width);
}

void check_chroma(const tally_image& image) {
  const int columns = half(image.width), rows = half(image.height), step = chroma_step(image);
  require(image.yuv_range == TALLY_VIDEO_RANGE || image.yuv_range == TALLY_FULL_RANGE,
          "unknown YUV range");
  require(image.yuv_matrix == TALLY_BT601 || image.yuv_matrix == TALLY_BT709, "unknown YUV matrix");
  if (image.format == TALLY_I420) {
    require(step >= 1 && step <= kMaxChromaStep, "chroma_step must be 0 to 16");
    const size_t row_bytes = static_cast<size_t>(columns - 1) * step + 1;
    for (const int plane : {1, 2}) check_plane(image, plane, row_bytes, rows);
    return;
  }
  require(image.chroma_step == 0 || image.chroma_step == 2, "chroma_step of pairs must be 0 or 2");
  check_plane(image, 1, 2 * static_cast<size_t>(columns), rows, columns > 1 ? 1 : 0);
}

/// Pixels of `Bytes` from right to left, as pixels of four bytes.
template <int Bytes>
void mirror(const uint8_t* source, int width, uint8_t* out) {
  source += static_cast<size_t>(width) * Bytes;
  for (int x = 0; x < width; ++x, out += 4) {
    source -= Bytes;
    std::memcpy(out, source, Bytes);
  }
}

void mirror_in_place(uint8_t* row, int width) {
  for (uint8_t *left = row, *right = row + 4 * static_cast<size_t>(width - 1); left < right;
       left += 4, right -= 4) {
    uint32_t a, b;
    std::memcpy(&a, left, 4);
    std::memcpy(&b, right, 4);
    std::memcpy(left, &b, 4);
    std::memcpy(right, &a, 4);
  }
}

}  // namespace

void check_image(const tally_image& image) {
  require(image.width >= 1 && image.width <= kMaxSide, "image width must be 1 to 32768");
  require(image.height >= 1 && image.height <= kMaxSide, "image height must be 1 to 32768");
  require(image.format >= TALLY_BGR && image.format <= TALLY_I420, "unknown pixel format");
  require(
      image.rotation == 0 || image.rotation == 90 || image.rotation == 180 || image.rotation == 270,
      "rotation must be 0, 90, 180 or 270");
  const int bytes = bytes_per_pixel(image.format);
  check_plane(image, 0, static_cast<size_t>(image.width) * (bytes == 0 ? 1 : bytes), image.height);
  if (bytes == 0) check_chroma(image);
}

RowReader::RowReader(const tally_image& image, ReaderBuffers& buffers)
    : image_(image),
      buffers_(buffers) {
  width_ = turned() ? image.height : image.width;
  height_ = turned() ? image.width : image.height;
  packed_bytes_ = bytes_per_pixel(image.format);
  pixel_bytes_ = image.rotation == 0 && packed_bytes_ == 3 ? 3 : 4;
  blue_first_ = image.format == TALLY_BGR || image.format == TALLY_BGRA;
  const bool yuv = packed_bytes_ == 0;
  if (yuv) {
    conversion_ = yuv_to_rgb(image.yuv_range, image.yuv_matrix);
    find_chroma();
  }
  if (!turned()) return;
  const bool upward = image.rotation == 90;
  buffers.turned[0].begin({image.planes[0], static_cast<size_t>(image.strides[0]), image.width,
                           image.height, yuv ? 1 : packed_bytes_},
                          upward);
  for (int i = 0; yuv && i < 2; ++i)
    if (chroma_[i].data != nullptr) buffers.turned[i + 1].begin(chroma_[i], upward);
}

/// Set `chroma_` to what the loops read: pairs, or planes of adjacent samples.
void RowReader::find_chroma() {
  const auto plane = [&](const uint8_t* data, int stride, int sample_bytes) {
    return Plane{data, static_cast<size_t>(stride), half(image_.width), half(image_.height),
                 sample_bytes};
  };
  const uint8_t *first = image_.planes[1], *second = image_.planes[2];
  chroma_[1] = plane(nullptr, 0, 1);
  if (image_.format != TALLY_I420) {
    v_first_ = image_.format == TALLY_NV21;
    chroma_[0] = plane(first, image_.strides[1], 2);
    if (image_.plane_bytes[1] < pair_bytes(image_)) pair_chroma();
    return;
  }
  if (chroma_step(image_) == 1) {
    chroma_[0] = plane(first, image_.strides[1], 1);
    chroma_[1] = plane(second, image_.strides[2], 1);
    return;
  }
  const bool pairs = chroma_step(image_) == 2 && image_.strides[1] == image_.strides[2] &&
                     (first + 1 == second || second + 1 == first);
  v_first_ = pairs && second < first;
  chroma_[0] = plane(v_first_ ? second : first, image_.strides[1], 2);
  if (!pairs) pair_chroma();
}

/// Copy the chroma as pairs of U and V (of both in their order where only the last byte lacks).
void RowReader::pair_chroma() {
  const size_t row_bytes = 2 * static_cast<size_t>(half(image_.width)), rows = half(image_.height);
  buffers_.chroma.resize(row_bytes * rows);
  uint8_t* out = buffers_.chroma.data();
  const auto step = static_cast<size_t>(chroma_step(image_));
  for (size_t y = 0; y < rows; ++y, out += row_bytes) {
    const uint8_t* first = image_.planes[1] + y * image_.strides[1];
    if (image_.format != TALLY_I420) {
      const bool whole = y + 1 < rows;
      std::memcpy(out, first, row_bytes - (whole ? 0 : 1));
      if (!whole) out[row_bytes - 1] = out[row_bytes - 3];
      continue;
    }
    const uint8_t* second = image_.planes[2] + y * image_.strides[2];
    for (size_t x = 0; x < row_bytes; x += 2) {
      out[x] = first[x / 2 * step];
      out[x + 1] = second[x / 2 * step];
    }
  }
  chroma_[0] = {buffers_.chroma.data(), row_bytes, half(image_.width), half(image_.height), 2};
}

ChromaRow RowReader::chroma_row(const uint8_t* first, const uint8_t* second) const {
  if (chroma_[0].sample_bytes == 1) return {first, second, false};
  return {first + (v_first_ ? 1 : 0), first + (v_first_ ? 0 : 1), true};
}

YuvLayout RowReader::layout() const {
  const bool odd_start = image_.rotation == 90 && image_.height % 2 == 1;
  return {width_, chroma_[0].sample_bytes == 2, v_first_, odd_start, image_.rotation == 180};
}

YuvRow RowReader::samples(int y) {
  const bool planes = chroma_[1].data != nullptr;
  if (turned()) {
    const int x = image_.rotation == 90 ? y : image_.width - 1 - y;  // of the stored frame
    const uint8_t* luma = buffers_.turned[0].column(x);
    const uint8_t* first = buffers_.turned[1].column(x / 2);
    return {luma, chroma_row(first, planes ? buffers_.turned[2].column(x / 2) : nullptr)};
  }
  const auto stored = static_cast<size_t>(image_.rotation == 0 ? y : image_.height - 1 - y);
  const auto row = [&](int i) { return chroma_[i].data + stored / 2 * chroma_[i].stride; };
  return {image_.planes[0] + stored * image_.strides[0],
          chroma_row(row(0), planes ? row(1) : nullptr)};
}

void RowReader::yuv_row(int y, uint8_t* out) {
  const YuvRow row = samples(y);
  yuv_row_to_rgbx(conversion_, row.luma, row.chroma, layout().odd_start, width_, out);
  if (image_.rotation == 180) mirror_in_place(out, width_);
}

const uint8_t* RowReader::packed_row(int y, uint8_t* scratch) {
  const auto stored = [&](int row) {
    return image_.planes[0] + static_cast<size_t>(row) * image_.strides[0];
  };
  switch (image_.rotation) {
    case 0: return stored(y);
    case 90: return buffers_.turned[0].column(y);
    case 270: return buffers_.turned[0].column(image_.width - 1 - y);
    default:
      const auto reverse = packed_bytes_ == 3 ? mirror<3> : mirror<4>;
      reverse(stored(image_.height - 1 - y), width_, scratch);
      return scratch;
  }
}

const uint8_t* RowReader::row(int y, uint8_t* scratch) {
  if (packed_bytes_ != 0) return packed_row(y, scratch);
  yuv_row(y, scratch);
  return scratch;
}

}  // namespace tally
