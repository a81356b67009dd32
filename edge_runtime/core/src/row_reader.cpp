#include "row_reader.h"

#include <cstring>

#include "handle.h"

namespace tally {
namespace {

constexpr int kMaxSide = 1 << 15;

int bytes_per_pixel(int format) {
  if (format == TALLY_BGR || format == TALLY_RGB) return 3;
  return format == TALLY_BGRA || format == TALLY_RGBA ? 4 : 0;
}

void check_plane(const tally_image& image, int plane, int row_bytes, int rows) {
  require(image.planes[plane] != nullptr, "image plane is NULL");
  require(image.strides[plane] >= row_bytes, "image stride is shorter than a row");
  const size_t needed = static_cast<size_t>(image.strides[plane]) * (rows - 1) + row_bytes;
  require(image.plane_bytes[plane] >= needed, "image plane is smaller than its rows");
}

uint8_t clamp_byte(int value) {
  return static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

/// BT.601 video range to RGB in 8-bit fixed point (ITU-R BT.601-7, coefficients times 256).
void yuv_to_rgb(int y, int u, int v, uint8_t* out) {
  const int luma = 298 * (y - 16) + 128, d = u - 128, e = v - 128;
  out[0] = clamp_byte((luma + 409 * e) >> 8);
  out[1] = clamp_byte((luma - 100 * d - 208 * e) >> 8);
  out[2] = clamp_byte((luma + 516 * d) >> 8);
}

void chroma_at(const tally_image& image, int x, int y, int* u, int* v) {
  const auto row = static_cast<size_t>(y / 2);
  if (image.format == TALLY_I420) {
    *u = image.planes[1][row * image.strides[1] + x / 2];
    *v = image.planes[2][row * image.strides[2] + x / 2];
    return;
  }
  const uint8_t* pair = image.planes[1] + row * image.strides[1] + (x / 2) * 2;
  const int first_is_v = image.format == TALLY_NV21;
  *u = pair[first_is_v];
  *v = pair[1 - first_is_v];
}

}  // namespace

void check_image(const tally_image& image) {
  require(image.width >= 1 && image.width <= kMaxSide, "image width must be 1 to 32768");
  require(image.height >= 1 && image.height <= kMaxSide, "image height must be 1 to 32768");
  require(image.format >= TALLY_BGR && image.format <= TALLY_I420, "unknown pixel format");
  require(
      image.rotation == 0 || image.rotation == 90 || image.rotation == 180 || image.rotation == 270,
      "rotation must be 0, 90, 180 or 270");
  if (const int bytes = bytes_per_pixel(image.format)) {
    check_plane(image, 0, image.width * bytes, image.height);
    return;
  }
  const int half_width = (image.width + 1) / 2, half_height = (image.height + 1) / 2;
  check_plane(image, 0, image.width, image.height);
  check_plane(image, 1, image.format == TALLY_I420 ? half_width : 2 * half_width, half_height);
  if (image.format == TALLY_I420) check_plane(image, 2, half_width, half_height);
}

RowReader::RowReader(const tally_image& image) : image_(image) {
  const bool turned = image.rotation == 90 || image.rotation == 270;
  width_ = turned ? image.height : image.width;
  height_ = turned ? image.width : image.height;
  blue_first_ = image.format == TALLY_BGR || image.format == TALLY_BGRA;
}

void RowReader::copy_pixel(int x, int y, uint8_t* out) const {
  const uint8_t* row = image_.planes[0] + static_cast<size_t>(y) * image_.strides[0];
  if (const int bytes = bytes_per_pixel(image_.format)) {
    std::memcpy(out, row + static_cast<size_t>(x) * bytes, 3);
    return;
  }
  int u, v;
  chroma_at(image_, x, y, &u, &v);
  yuv_to_rgb(row[x], u, v, out);
}

const uint8_t* RowReader::row(int y, uint8_t* scratch) const {
  const bool upright = image_.rotation == 0;
  if (upright && bytes_per_pixel(image_.format) == 3)
    return image_.planes[0] + static_cast<size_t>(y) * image_.strides[0];
  for (int x = 0; x < width_; ++x, scratch += 3) {
    switch (image_.rotation) {
      case 90: copy_pixel(y, image_.height - 1 - x, scratch); break;
      case 180: copy_pixel(image_.width - 1 - x, image_.height - 1 - y, scratch); break;
      case 270: copy_pixel(image_.width - 1 - y, x, scratch); break;
      default: copy_pixel(x, y, scratch);
    }
  }
  return scratch - 3 * static_cast<size_t>(width_);
}

}  // namespace tally
