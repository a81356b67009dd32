// Heads: bounds, and any bits in them.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "checks.h"
#include "tally.h"

namespace {

tally_decoder_options options_of_random_heads() {
  tally_decoder_options options{};
  options.struct_size = sizeof options;
  tally_decoder_defaults(&options);
  options.num_classes = 3;
  options.confidence = 0.2f;
  options.max_detections = 60;
  return options;
}

std::vector<uint32_t> random_bits(size_t words, std::mt19937& random) {
  std::vector<uint32_t> bits(words);
  for (auto& word : bits) word = static_cast<uint32_t>(random());
  return bits;
}

void test_heads_without_anchors_survive_random_bits() {
  tally_decoder_options options = options_of_random_heads();
  const tally_letterbox letterbox{1, 1, 0, 0, 64, 64};
  std::mt19937 random(4);
  for (int round = 0; round < 400; ++round) {
    options.multi_label = round % 2;
    tally_decoder* decoder = nullptr;
    CHECK(tally_decoder_create(&options, &decoder, nullptr, 0) == TALLY_OK);
    const int dtype = round / 2 % 4, layout = round / 8 % 2;
    tally_head head{};
    head.struct_size = sizeof head;
    head.dtype = dtype;
    head.layout = layout;
    head.width = 5;
    head.height = 4;
    head.stride = 8;
    head.scale = round % 3 == 0 ? 3e38f : 0.1f;
    head.zero_point = round % 5 == 0 ? INT32_MIN : 3;
    head.reg_max = 2 + round % 16;
    const size_t values = (4 * static_cast<size_t>(head.reg_max) + 3) * 5 * 4;
    const std::vector<uint32_t> bits = random_bits(values, random);
    head.data = bits.data();
    head.bytes = values * (dtype == TALLY_FLOAT32 ? 4 : dtype == TALLY_FLOAT16 ? 2 : 1);
    std::vector<tally_detection> out(60);
    int32_t count = -1;
    CHECK(tally_decoder_run(decoder, &head, 1, &letterbox, out.data(), 60, &count) == TALLY_OK);
    for (int i = 0; i < count; ++i)
      CHECK(std::isfinite(out[i].x1 + out[i].y1 + out[i].x2 + out[i].y2) &&
            out[i].confidence >= 0.2f && out[i].x1 <= out[i].x2);
    for (const int32_t bins : {-1, 1, 65, head.reg_max + 1, INT32_MAX}) {
      tally_head bad = head;
      bad.reg_max = bins;
      CHECK(tally_decoder_run(decoder, &bad, 1, &letterbox, out.data(), 60, &count) ==
            TALLY_INVALID_ARGUMENT);
    }
    tally_decoder_destroy(decoder);
  }
}

void test_decoded_boxes_survive_random_bits() {
  tally_decoder_options options = options_of_random_heads();
  const tally_letterbox letterbox{1, 1, 0, 0, 64, 64};
  std::mt19937 random(5);
  for (int round = 0; round < 400; ++round) {
    options.multi_label = round % 2;
    tally_decoder* decoder = nullptr;
    CHECK(tally_decoder_create(&options, &decoder, nullptr, 0) == TALLY_OK);
    const int dtype = round / 2 % 4;
    tally_head head{};
    head.struct_size = sizeof head;
    head.dtype = dtype;
    head.layout = round / 8 % 2;
    head.decoded = 1 + round / 16 % 2;
    head.extra_channels = round % 3;
    head.width = 20;
    head.height = 1;
    head.scale = round % 3 == 0 ? 3e38f : 0.0044f;
    head.zero_point = round % 5 == 0 ? INT32_MIN : 3;
    head.unit_x = round % 7 == 0 ? 3e38f : 64;
    head.unit_y = 1e-38f;
    const size_t channels = (head.decoded == TALLY_SCORED_BOXES ? 5 : 4) + 3;
    const size_t values = (channels + static_cast<size_t>(head.extra_channels)) * 20;
    const std::vector<uint32_t> bits = random_bits(values, random);
    head.data = bits.data();
    head.bytes = values * (dtype == TALLY_FLOAT32 ? 4 : dtype == TALLY_FLOAT16 ? 2 : 1);
    std::vector<tally_detection> out(60);
    int32_t count = -1;
    CHECK(tally_decoder_run(decoder, &head, 1, &letterbox, out.data(), 60, &count) == TALLY_OK);
    for (int i = 0; i < count; ++i)
      CHECK(std::isfinite(out[i].x1 + out[i].y1 + out[i].x2 + out[i].y2) &&
            out[i].confidence >= 0.2f && out[i].confidence <= 1 && out[i].x1 <= out[i].x2);
    tally_head bad = head;
    bad.width += 1;
    CHECK(tally_decoder_run(decoder, &bad, 1, &letterbox, out.data(), 60, &count) ==
          TALLY_INVALID_ARGUMENT);
    bad = head;
    bad.decoded = 3;
    CHECK(tally_decoder_run(decoder, &bad, 1, &letterbox, out.data(), 60, &count) ==
          TALLY_INVALID_ARGUMENT);
    tally_decoder_destroy(decoder);
  }
}

void test_heads_with_strides_are_bounded() {
  tally_decoder_options options{};
  options.struct_size = sizeof options;
  tally_decoder_defaults(&options);
  options.num_classes = 2;
  tally_decoder* decoder = nullptr;
  CHECK(tally_decoder_create(&options, &decoder, nullptr, 0) == TALLY_OK);
  const float anchors[] = {10, 13};
  const tally_letterbox letterbox{1, 1, 0, 0, 64, 64};
  std::vector<tally_detection> out(300);
  int32_t count = 0;
  for (const int layout : {TALLY_NHWC, TALLY_NCHW}) {
    tally_head head{};
    head.struct_size = sizeof head;
    head.dtype = TALLY_FLOAT16;
    head.layout = layout;
    head.width = 3;
    head.height = 2;
    head.stride = 8;
    head.anchors = anchors;
    head.num_anchors = 1;
    head.row_stride = layout == TALLY_NHWC ? 32 : 8;
    head.column_stride = layout == TALLY_NHWC ? 9 : 0;
    head.channel_stride = layout == TALLY_NHWC ? 0 : 20;
    const size_t elements = layout == TALLY_NHWC ? 32 + 2 * 9 + 7 : 6 * 20 + 8 + 3;
    std::vector<uint16_t> values(elements, 0x4500);  // 5
    head.data = values.data();
    head.bytes = 2 * elements;
    const auto run = [&](const tally_head& given) {
      return tally_decoder_run(decoder, &given, 1, &letterbox, out.data(), 300, &count);
    };
    CHECK(run(head) == TALLY_OK && count > 0);
    tally_head bad = head;
    bad.bytes -= 1;
    CHECK(run(bad) == TALLY_INVALID_ARGUMENT);
    for (const int64_t stride : {int64_t{-1}, std::numeric_limits<int64_t>::min(),
                                 std::numeric_limits<int64_t>::max(), int64_t{1} << 40}) {
      bad = head;
      bad.row_stride = stride;
      CHECK(run(bad) == TALLY_INVALID_ARGUMENT);
      bad = head;
      bad.channel_stride = stride;
      CHECK(run(bad) == TALLY_INVALID_ARGUMENT);
    }
  }
  tally_decoder_destroy(decoder);
}

void test_decoder_survives_any_bits() {
  tally_decoder_options options{};
  options.struct_size = sizeof options;
  tally_decoder_defaults(&options);
  options.num_classes = 3;
  options.confidence = 0.2f;
  options.max_detections = 20;
  tally_decoder* decoder = nullptr;
  CHECK(tally_decoder_create(&options, &decoder, nullptr, 0) == TALLY_OK);
  const float anchors[] = {10, 13, 16, 30};
  const tally_letterbox letterbox{1, 1, 0, 0, 64, 64};
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    const int dtype = round % 4, layout = round / 4 % 2;
    const size_t values = 2 * 8 * 4 * 5;
    std::vector<uint32_t> bits(values);
    for (auto& word : bits) word = static_cast<uint32_t>(random());
    tally_head head{};
    head.struct_size = sizeof head;
    head.dtype = dtype;
    head.layout = layout;
    head.width = 5;
    head.height = 4;
    head.stride = 8;
    head.scale = 0.1f;
    head.zero_point = 3;
    head.data = bits.data();
    head.bytes = values * (dtype == TALLY_FLOAT32 ? 4 : dtype == TALLY_FLOAT16 ? 2 : 1);
    head.anchors = anchors;
    head.num_anchors = 2;
    std::vector<tally_detection> out(20);
    int32_t count = -1;
    CHECK(tally_decoder_run(decoder, &head, 1, &letterbox, out.data(), 20, &count) == TALLY_OK);
    for (int i = 0; i < count; ++i)
      CHECK(std::isfinite(out[i].x1 + out[i].y1 + out[i].x2 + out[i].y2) &&
            out[i].confidence >= 0.2f && out[i].x1 <= out[i].x2);
    CHECK(tally_decoder_run(decoder, &head, 1, &letterbox, nullptr, 0, &count) ==
          (count > 0 ? TALLY_BUFFER_TOO_SMALL : TALLY_OK));
    tally_head bad = head;
    bad.bytes -= 1;
    CHECK(tally_decoder_run(decoder, &bad, 1, &letterbox, out.data(), 20, &count) ==
          TALLY_INVALID_ARGUMENT);
  }
  tally_decoder_destroy(decoder);
  options.max_detections = 0;
  CHECK(tally_decoder_create(&options, &decoder, nullptr, 0) == TALLY_INVALID_ARGUMENT &&
        decoder == nullptr);
}

}  // namespace

void test_decoder() {
  test_heads_with_strides_are_bounded();
  test_heads_without_anchors_survive_random_bits();
  test_decoded_boxes_survive_random_bits();
  test_decoder_survives_any_bits();
}
