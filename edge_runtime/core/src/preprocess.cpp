#include "preprocess.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "handle.h"

namespace tally {
namespace {

constexpr int kMaxSide = 1 << 15;
constexpr uint8_t kGrey = 114;

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

void check_image(const tally_image& image) {
  require(image.width >= 1 && image.width <= kMaxSide, "image width must be 1 to 32768");
  require(image.height >= 1 && image.height <= kMaxSide, "image height must be 1 to 32768");
  require(image.format >= TALLY_BGR && image.format <= TALLY_I420, "unknown pixel format");
  require(image.rotation == 0 || image.rotation == 90 || image.rotation == 180 ||
              image.rotation == 270,
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

size_t element_bytes(int dtype) { return dtype == TALLY_FLOAT32 ? 4 : 1; }

void check_input(const tally_tensor& input) {
  require(input.data != nullptr, "input buffer is NULL");
  require(input.width >= 1 && input.width <= kMaxSide && input.height >= 1 &&
              input.height <= kMaxSide,
          "input sides must be 1 to 32768");
  require(input.dtype >= TALLY_UINT8 && input.dtype <= TALLY_FLOAT32, "unknown input dtype");
  require(input.layout == TALLY_NHWC || input.layout == TALLY_NCHW, "unknown input layout");
  const size_t needed =
      static_cast<size_t>(input.width) * input.height * 3 * element_bytes(input.dtype);
  require(input.bytes == needed, "input buffer has not the size of its shape");
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
  const size_t row = static_cast<size_t>(y / 2);
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

std::vector<Tap> make_taps(int source, int target) {
  std::vector<Tap> taps(target);
  const double step = static_cast<double>(source) / target;
  for (int i = 0; i < target; ++i) {
    const double at = std::max((i + 0.5) * step - 0.5, 0.0);
    const int left = std::min(static_cast<int>(at), source - 1);
    taps[i] = {left, std::min(left + 1, source - 1),
               static_cast<uint16_t>(std::lround((at - left) * 256))};
  }
  return taps;
}

TALLY_HOT void blend_across(const uint8_t* source, const Tap* taps, int width, uint16_t* out) {
  for (int x = 0; x < width; ++x) {
    const uint8_t* left = source + 3 * taps[x].left;
    const uint8_t* right = source + 3 * taps[x].right;
    const int weight = taps[x].weight, rest = 256 - weight;
    for (int c = 0; c < 3; ++c)
      out[3 * x + c] = static_cast<uint16_t>(left[c] * rest + right[c] * weight);
  }
}

TALLY_HOT void blend_down(const uint16_t* upper, const uint16_t* lower, int weight, int count,
                          uint8_t* out) {
  const uint32_t below = static_cast<uint32_t>(weight), above = 256 - below;
  for (int i = 0; i < count; ++i)
    out[i] = static_cast<uint8_t>((upper[i] * above + lower[i] * below + (1u << 15)) >> 16);
}

/// Where and how a finished row of pixels lands in the input.
template <typename Element, typename Convert>
void store_row(const uint8_t* pixels, int count, bool swap, Element* const targets[3], int step,
               Convert convert) {
  const int first = swap ? 2 : 0;
  Element *red = targets[0], *green = targets[1], *blue = targets[2];
  for (int x = 0; x < count; ++x, pixels += 3) {
    red[x * step] = convert(pixels[first]);
    green[x * step] = convert(pixels[1]);
    blue[x * step] = convert(pixels[2 - first]);
  }
}

template <typename Element, typename Convert>
void store(const tally_tensor& input, int x, int y, const uint8_t* pixels, int count, bool swap,
           Convert convert) {
  Element* data = static_cast<Element*>(input.data);
  const size_t at = static_cast<size_t>(y) * input.width + x;
  if (input.layout == TALLY_NHWC) {
    Element* const targets[3] = {data + 3 * at, data + 3 * at + 1, data + 3 * at + 2};
    store_row(pixels, count, swap, targets, 3, convert);
  } else {
    const size_t plane = static_cast<size_t>(input.width) * input.height;
    Element* const targets[3] = {data + at, data + plane + at, data + 2 * plane + at};
    store_row(pixels, count, swap, targets, 1, convert);
  }
}

void store_pixels(const tally_tensor& input, int x, int y, const uint8_t* pixels, int count,
                  bool swap) {
  if (input.dtype == TALLY_UINT8)
    store<uint8_t>(input, x, y, pixels, count, swap, [](uint8_t v) { return v; });
  else if (input.dtype == TALLY_INT8)
    store<int8_t>(input, x, y, pixels, count, swap,
                  [](uint8_t v) { return static_cast<int8_t>(v - 128); });
  else
    store<float>(input, x, y, pixels, count, swap,
                 [](uint8_t v) { return static_cast<float>(v) * (1.0f / 255.0f); });
}

/// Grey over `count` pixels of row `y` from `x` on.
void fill_grey(const tally_tensor& input, int x, int y, int count) {
  const int planes = input.layout == TALLY_NCHW ? 3 : 1;
  const size_t area = static_cast<size_t>(input.width) * input.height;
  const size_t values = static_cast<size_t>(count) * (planes == 3 ? 1 : 3);
  for (int plane = 0; plane < planes; ++plane) {
    const size_t at = static_cast<size_t>(y) * input.width + x;
    const size_t first = planes == 3 ? plane * area + at : 3 * at;
    if (input.dtype == TALLY_FLOAT32)
      std::fill_n(static_cast<float*>(input.data) + first, values, kGrey * (1.0f / 255.0f));
    else
      std::memset(static_cast<uint8_t*>(input.data) + first,
                  input.dtype == TALLY_UINT8 ? kGrey : kGrey ^ 0x80, values);
  }
}

/// The letterbox of YOLOv5: aspect kept, sides rounded, the odd pad pixel right and below.
tally_letterbox fit(int source_width, int source_height, const tally_tensor& input, int* width,
                    int* height) {
  const double gain = std::min(static_cast<double>(input.width) / source_width,
                               static_cast<double>(input.height) / source_height);
  *width = std::clamp(static_cast<int>(std::lround(source_width * gain)), 1, input.width);
  *height = std::clamp(static_cast<int>(std::lround(source_height * gain)), 1, input.height);
  return {static_cast<float>(*width) / source_width,
          static_cast<float>(*height) / source_height,
          (input.width - *width) / 2,
          (input.height - *height) / 2,
          source_width,
          source_height};
}

}  // namespace

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

void Preprocessor::prepare(const Geometry& geometry) {
  if (geometry == geometry_) return;
  geometry_ = Geometry();  // stays empty if an allocation below fails
  columns_ = make_taps(geometry.source_width, geometry.width);
  rows_ = make_taps(geometry.source_height, geometry.height);
  source_row_.resize(3 * static_cast<size_t>(geometry.source_width));
  pixels_.resize(3 * static_cast<size_t>(geometry.width));
  for (auto& row : blended_) row.resize(3 * static_cast<size_t>(geometry.width));
  geometry_ = geometry;
}

const uint16_t* Preprocessor::blended_row(const RowReader& reader, int y) {
  const int slot = y & 1;  // neighbours never share a slot
  if (blended_y_[slot] != y) {
    const uint8_t* source = reader.row(y, source_row_.data());
    blend_across(source, columns_.data(), geometry_.width, blended_[slot].data());
    blended_y_[slot] = y;
  }
  return blended_[slot].data();
}

tally_letterbox Preprocessor::run(const tally_image& image, const tally_tensor& input) {
  check_image(image);
  check_input(input);
  const RowReader reader(image);
  int width, height;
  const tally_letterbox box = fit(reader.width(), reader.height(), input, &width, &height);
  prepare({reader.width(), reader.height(), width, height});
  blended_y_[0] = blended_y_[1] = -1;

  const bool same_size = width == reader.width() && height == reader.height();
  for (int y = 0; y < input.height; ++y) {
    const int row = y - box.pad_y;
    if (row < 0 || row >= height) {
      fill_grey(input, 0, y, input.width);
      continue;
    }
    const uint8_t* pixels = pixels_.data();
    if (same_size) {
      pixels = reader.row(row, source_row_.data());
    } else {
      const Tap& tap = rows_[row];
      const uint16_t* upper = blended_row(reader, tap.left);
      const uint16_t* lower = tap.right == tap.left ? upper : blended_row(reader, tap.right);
      blend_down(upper, lower, tap.weight, 3 * width, pixels_.data());
    }
    fill_grey(input, 0, y, box.pad_x);
    store_pixels(input, box.pad_x, y, pixels, width, reader.blue_first());
    fill_grey(input, box.pad_x + width, y, input.width - box.pad_x - width);
  }
  return box;
}

}  // namespace tally
