#include "exact_floats.h"

#include "head_view.h"

#include <cmath>

#include "handle.h"

namespace tally {
namespace {

constexpr int kMaxSide = 1 << 13;
constexpr int kMaxBins = 64;
constexpr int kMaxBoxes = 1 << 20;
constexpr int kMaxExtra = 1 << 12;
constexpr int64_t kMaxStride = int64_t{1} << 40;  // products with the sides stay far from overflow

size_t element_bytes(int dtype) {
  if (dtype == TALLY_FLOAT32) return 4;
  return dtype == TALLY_FLOAT16 ? 2 : 1;
}

void check_buffer(const tally_head& head, size_t channels) {
  for (const int64_t stride : {head.row_stride, head.column_stride, head.channel_stride})
    require(stride >= 0 && stride <= kMaxStride, "head strides must be 0 to 2^40");
  const size_t size = element_bytes(head.dtype);
  if (head.row_stride == 0 && head.column_stride == 0 && head.channel_stride == 0) {
    require(head.bytes == channels * head.width * head.height * size,
            "head buffer has not the size of its shape");
    return;
  }
  const Strides strides = strides_of(head, channels);
  const auto last = [](int64_t count) { return static_cast<uint64_t>(count - 1); };
  const uint64_t elements = last(head.height) * strides.row + last(head.width) * strides.column +
                            last(static_cast<int64_t>(channels)) * strides.channel + 1;
  require(elements <= head.bytes / size, "head buffer is smaller than its strides span");
}

void check_logits(const tally_head& head) {
  require(head.reg_max == 0 || (head.reg_max >= 2 && head.reg_max <= kMaxBins),
          "reg_max must be 0 or 2 to 64");
  require(head.width >= 1 && head.width <= kMaxSide && head.height >= 1 && head.height <= kMaxSide,
          "head sides must be 1 to 8192");
  require(head.stride >= 1 && head.stride <= 1024, "head stride must be 1 to 1024");
  if (head.reg_max > 0) return;
  require(head.anchors != nullptr, "anchors are NULL");
  require(head.num_anchors >= 1 && head.num_anchors <= 64, "a head has 1 to 64 anchors");
  for (int i = 0; i < 2 * head.num_anchors; ++i)
    require(std::isfinite(head.anchors[i]) && head.anchors[i] > 0, "anchors must be above zero");
}

void check_boxes(const tally_head& head) {
  require(head.width >= 1 && head.width <= kMaxBoxes && head.height == 1,
          "decoded boxes must be 1 to 2^20 in one row");
  require(head.extra_channels >= 0 && head.extra_channels <= kMaxExtra,
          "extra_channels must be 0 to 4096");
  for (const float unit : {head.unit_x, head.unit_y})
    require(std::isfinite(unit) && unit > 0, "unit_x and unit_y must be above zero");
}

}  // namespace

Strides strides_of(const tally_head& head, size_t channels) {
  const auto given = [](int64_t stride, size_t otherwise) {
    return stride == 0 ? otherwise : static_cast<size_t>(stride);
  };
  Strides strides;
  if (head.layout == TALLY_NHWC) {
    strides.channel = given(head.channel_stride, 1);
    strides.column = given(head.column_stride, channels * strides.channel);
    strides.row = given(head.row_stride, head.width * strides.column);
  } else {
    strides.column = given(head.column_stride, 1);
    strides.row = given(head.row_stride, head.width * strides.column);
    strides.channel = given(head.channel_stride, head.height * strides.row);
  }
  return strides;
}

size_t head_channels(const tally_head& head, int num_classes) {
  const auto classes = static_cast<size_t>(num_classes);
  if (head.decoded != TALLY_LOGITS)
    return class_channel(head) + classes + static_cast<size_t>(head.extra_channels);
  if (head.reg_max > 0) return kBoxSides * static_cast<size_t>(head.reg_max) + classes;
  return static_cast<size_t>(head.num_anchors) * (kBoxChannels + classes);
}

void check_head(const tally_head& head, int num_classes) {
  require(head.decoded >= TALLY_LOGITS && head.decoded <= TALLY_CLASS_BOXES,
          "decoded must be 0, 1 or 2");
  require(head.data != nullptr, "head data is NULL");
  require(head.dtype >= TALLY_UINT8 && head.dtype <= TALLY_FLOAT16, "unknown head dtype");
  require(head.layout == TALLY_NHWC || head.layout == TALLY_NCHW, "unknown head layout");
  const bool quantized = head.dtype == TALLY_UINT8 || head.dtype == TALLY_INT8;
  require(!quantized || (std::isfinite(head.scale) && head.scale > 0),
          "head scale must be above zero");
  if (head.decoded == TALLY_LOGITS)
    check_logits(head);
  else
    check_boxes(head);
  check_buffer(head, head_channels(head, num_classes));
}

}  // namespace tally
