#include "exact_floats.h"

#include "preprocess.h"

#include <algorithm>
#include <cmath>

#include "handle.h"

namespace tally {
namespace {

/// Samples at half-pixel centers, edges repeated, as in OpenCV's INTER_LINEAR.
std::vector<Tap> make_taps(int source, int target) {
  std::vector<Tap> taps(target);
  const double step = static_cast<double>(source) / target;
  for (int i = 0; i < target; ++i) {
    const double at = std::max((i + 0.5) * step - 0.5, 0.0);
    const int first = std::min(static_cast<int>(at), source - 1);
    const bool last = first == source - 1;
    taps[i] = {first, static_cast<uint16_t>(last ? 0 : std::lround((at - first) * 256))};
  }
  return taps;
}

/// The letterbox of YOLOv5: aspect kept, sides rounded, the odd pad pixel right and below.
tally_letterbox fit(int source_width, int source_height, const InputRows& input, int* width,
                    int* height) {
  const double gain = std::min(static_cast<double>(input.width()) / source_width,
                               static_cast<double>(input.height()) / source_height);
  // Halves go to the even side, as Python's round has it.
  *width = std::clamp(static_cast<int>(std::nearbyint(source_width * gain)), 1, input.width());
  *height = std::clamp(static_cast<int>(std::nearbyint(source_height * gain)), 1, input.height());
  return {static_cast<float>(*width) / source_width,
          static_cast<float>(*height) / source_height,
          (input.width() - *width) / 2,
          (input.height() - *height) / 2,
          source_width,
          source_height};
}

}  // namespace

void Preprocessor::prepare(const Geometry& geometry) {
  read_y_[0] = read_y_[1] = -1;
  if (geometry == geometry_) return;
  geometry_ = Geometry();  // stays empty if an allocation below fails
  columns_ = make_taps(geometry.source_width, geometry.width);
  rows_ = make_taps(geometry.source_height, geometry.height);
  nearest_ =
      std::all_of(columns_.begin(), columns_.end(), [](const Tap& tap) { return tap.weight == 0; });
  const size_t row_bytes = 4 * static_cast<size_t>(geometry.source_width);
  for (auto& row : read_) row.resize(row_bytes);
  blended_.assign(row_bytes + kOverread, 0);
  pixels_.resize(4 * static_cast<size_t>(geometry.width));
  geometry_ = geometry;
}

const uint8_t* Preprocessor::source_row(RowReader& reader, int y) {
  const int slot = y & 1;  // neighbors never share a slot
  if (read_y_[slot] == y) return read_[slot].data();
  const uint8_t* row = reader.row(y, read_[slot].data());
  if (row == read_[slot].data()) read_y_[slot] = y;
  return row;
}

void Preprocessor::gathered_row(RowReader& reader, int y, bool alpha, uint8_t* out) {
  const Tap& tap = rows_[y];
  const YuvRow upper = reader.samples(tap.first);
  const YuvRow lower = tap.weight == 0 ? upper : reader.samples(tap.first + 1);
  yuv_.row(reader.conversion(), upper, lower, tap.weight, alpha, out);
}

void Preprocessor::scaled_row(RowReader& reader, int y, const PixelForm& form, uint8_t* out) {
  if (gathers_) {
    gathered_row(reader, y, form.alpha, out);
    return;
  }
  if (geometry_.same_size()) {
    copy_pixels(source_row(reader, y), geometry_.width, form, out);
    return;
  }
  const Tap& tap = rows_[y];
  if (geometry_.half_size()) {
    const uint8_t* above = source_row(reader, tap.first);
    halve_pixels(above, source_row(reader, tap.first + 1), geometry_.width, form, out);
    return;
  }
  if (nearest_ && tap.weight == 0) {
    pick_across(source_row(reader, tap.first), columns_.data(), geometry_.width, form, out);
    return;
  }
  const size_t row_bytes = form.source_bytes * static_cast<size_t>(geometry_.source_width);
  const uint8_t* upper = source_row(reader, tap.first);
  const uint8_t* lower = tap.weight == 0 ? upper : source_row(reader, tap.first + 1);
  blend_down(upper, lower, tap.weight, row_bytes, blended_.data());
  blend_across(blended_.data(), columns_.data(), geometry_.width, form, out);
}

tally_letterbox Preprocessor::run(const tally_image& image, const tally_tensor& tensor) {
  check_image(image);
  const InputRows input(tensor);
  RowReader reader(image, buffers_);
  int width, height;
  const tally_letterbox box = fit(reader.width(), reader.height(), input, &width, &height);
  prepare({reader.width(), reader.height(), width, height});
  gathers_ = reader.yuv() && yuv_.prepare(reader.layout(), columns_);
  const PixelForm form{reader.pixel_bytes(), reader.blue_first() != input.alpha(), input.alpha()};
  for (int y = 0; y < input.height(); ++y) {
    const int row = y - box.pad_y;
    if (row < 0 || row >= height) {
      input.store_gray(0, y, input.width());
      continue;
    }
    if (uint8_t* place = input.in_place(box.pad_x, y)) {
      scaled_row(reader, row, form, place);
    } else {
      scaled_row(reader, row, form, pixels_.data());
      input.store(box.pad_x, y, pixels_.data(), width);
    }
    input.store_gray(0, y, box.pad_x);
    input.store_gray(box.pad_x + width, y, input.width() - box.pad_x - width);
  }
  return box;
}

}  // namespace tally
