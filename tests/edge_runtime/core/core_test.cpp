// The core's own tests, run under AddressSanitizer and UBSan by tests/edge_runtime/core/run.sh.
// They look for what Python cannot see: memory errors, leaks and undefined behavior on input that
// the C interface must refuse, and the parts that it does not show.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "assignment.h"
#include "elementary.h"
#include "head_view.h"
#include "region.h"
#include "sparse_assignment.h"
#include "tally.h"

namespace {

int failures = 0;
int checks = 0;

void check(bool holds, const char* what, int line) {
  ++checks;
  if (holds) return;
  ++failures;
  std::printf("core_test.cpp:%d: failed: %s\n", line, what);
}
#define CHECK(condition) check((condition), #condition, __LINE__)

/// Minimum cost over all permutations, for up to six rows.
float cheapest(const tally::CostMatrix& costs) {
  std::vector<int> columns(costs.columns());
  std::iota(columns.begin(), columns.end(), 0);
  float best = std::numeric_limits<float>::infinity();
  do {
    float sum = 0;
    for (int r = 0; r < std::min(costs.rows(), costs.columns()); ++r)
      sum += costs.at(r, columns[r]);
    best = std::min(best, sum);
  } while (std::next_permutation(columns.begin(), columns.end()));
  return best;
}

/// Sum of the costs of an assignment; rows that are left alone cost `alone`.
float total(const tally::CostMatrix& costs, const std::vector<int>& column_of) {
  float sum = 0;
  for (int r = 0; r < costs.rows(); ++r)
    sum += column_of[r] < 0 ? costs.alone() : costs.at(r, column_of[r]);
  return sum;
}

/// Few pairs of many can match, in components of all sizes: as cheap as all in one matrix.
void test_sparse_assignment_is_as_cheap() {
  std::mt19937 random(5);
  std::uniform_real_distribution<float> uniform(0, 1);
  for (int round = 0; round < 400; ++round) {
    const int rows = 1 + static_cast<int>(random() % 14),
              columns = 1 + static_cast<int>(random() % 14);
    const float share = uniform(random);
    tally::CostMatrix costs(rows, columns, 1);
    std::vector<tally::Pair> pairs;
    for (int r = 0; r < rows; ++r)
      for (int c = 0; c < columns; ++c)
        if (uniform(random) < share) {
          costs.at(r, c) = uniform(random);
          pairs.push_back({static_cast<size_t>(r), static_cast<size_t>(c), costs.at(r, c)});
        }
    std::shuffle(pairs.begin(), pairs.end(), random);
    const auto column_of = tally::assign(pairs, rows, columns, 1);
    std::vector<bool> used(columns);
    for (int r = 0; r < rows; ++r) {
      if (column_of[r] < 0) continue;
      CHECK(!used[column_of[r]] && costs.at(r, column_of[r]) < 1);
      used[column_of[r]] = true;
    }
    CHECK(std::abs(total(costs, column_of) - total(costs, tally::assign(costs))) < 1e-4f);
  }
}

void test_only_unambiguous_pairs_are_left() {
  std::vector<tally::Pair> pairs = {
      {0, 0, .1f}, {1, 1, .2f}, {1, 2, .9f}, {3, 2, .1f}, {4, 4, .5f}};
  tally::keep_unambiguous(pairs, 5, 5);
  CHECK(pairs.size() == 2 && pairs[0].row == 0 && pairs[1].row == 4);
}

/// The index finds what a look at every box finds, huge and infinite boxes included.
void test_box_index_finds_all() {
  std::mt19937 random(6);
  std::uniform_real_distribution<float> at(-100, 100), side(0, 30);
  for (int round = 0; round < 200; ++round) {
    const auto any_box = [&]() -> tally::Box {
      const float x = at(random), y = at(random);
      if (random() % 50 == 0) return {-3e38f, y, 3e38f, y + side(random)};
      return {x, y, x + side(random), y + side(random)};
    };
    std::vector<tally::Box> boxes(random() % 40);
    for (tally::Box& box : boxes) box = any_box();
    const tally::Box part = any_box();
    std::vector<bool> found(boxes.size());
    tally::BoxIndex(boxes).near(part, [&](size_t i) {
      CHECK(!found[i]);
      found[i] = true;
    });
    for (size_t i = 0; i < boxes.size(); ++i)
      CHECK(found[i] == (boxes[i].x1 <= part.x2 && boxes[i].x2 >= part.x1 &&
                         boxes[i].y1 <= part.y2 && boxes[i].y2 >= part.y1));
  }
}

void test_assignment_is_cheapest() {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(0, 1);
  for (int round = 0; round < 300; ++round) {
    const int rows = 1 + round % 5, columns = rows + round % 2;
    tally::CostMatrix costs(rows, columns, 1e6f);
    for (int r = 0; r < rows; ++r)
      for (int c = 0; c < columns; ++c) costs.at(r, c) = uniform(random);
    float sum = 0;
    std::vector<bool> used(columns);
    const auto column_of = tally::assign(costs);
    for (int r = 0; r < rows; ++r) {
      CHECK(column_of[r] >= 0 && !used[column_of[r]]);
      used[column_of[r]] = true;
      sum += costs.at(r, column_of[r]);
    }
    CHECK(std::abs(sum - cheapest(costs)) < 1e-4f);
  }
}

void test_assignment_leaves_forbidden_pairs() {
  tally::CostMatrix costs(3, 2, 1);
  costs.at(0, 0) = 0.5f;
  costs.at(2, 0) = 0.1f;
  const auto column_of = tally::assign(costs);
  CHECK(column_of == (std::vector<int>{-1, -1, 0}));
  CHECK(tally::assign(tally::CostMatrix(0, 4, 1)).empty());
}

void test_assignment_prefers_one_good_pair_to_two_poor_ones() {
  tally::CostMatrix costs(2, 2, 1);
  costs.at(0, 0) = 0.1f;
  costs.at(0, 1) = 0.8f;
  costs.at(1, 0) = 0.7f;
  CHECK(tally::assign(costs) == (std::vector<int>{0, -1}));
}

void test_line_reports_the_point_of_crossing() {
  const tally::RegionRule& rule = *tally::find_rule("line");
  const auto line = rule.make(rule, 1, {{0, 10}, {100, 10}}, tally::region_defaults());
  tally::RegionState state;
  line->begin(state, {50, 0}, 0);
  const auto crossings = line->advance(state, {{50, 0}, {50, 40}, 0, 1000, 5, nullptr});
  CHECK(crossings.size() == 1 && crossings[0].kind == TALLY_CROSSED_IN &&
        crossings[0].timestamp_ns == 250);
  CHECK(crossings.size() == 1 && std::abs(crossings[0].at.y - 10) < 1e-4f);
  // Around the end of the segment: the side changes, nothing is counted.
  tally::RegionState other;
  line->begin(other, {150, 0}, 0);
  CHECK(line->advance(other, {{150, 0}, {150, 40}, 0, 1000, 5, nullptr}).empty());
}

/// Each event kind has one name and one rule, without gaps: saved states hold the numbers.
void test_the_table_of_rules_is_sound() {
  int32_t events = 0;
  for (const tally::RegionRule& rule : tally::region_rules()) {
    CHECK(tally::find_rule(rule.name) == &rule);
    CHECK(rule.min_points >= 1 && rule.min_points <= rule.max_points);
    for (int32_t kind = rule.first_event; kind < rule.past_events(); ++kind, ++events)
      CHECK(kind != TALLY_CONFIRMED && kind != TALLY_RECLASSIFIED &&
            tally::rule_of_event(kind) == &rule);
  }
  for (int32_t kind = 0; kind < events + 2; ++kind) CHECK(tally_event_kind_name(kind) != nullptr);
  CHECK(tally_event_kind_name(events + 2) == nullptr && tally_event_kind_name(-1) == nullptr);
}

tally_image image_of(int32_t format, int32_t width, int32_t height, std::array<int, 3> strides,
                     std::array<const std::vector<uint8_t>*, 3> planes) {
  tally_image image{};
  image.struct_size = sizeof image;
  image.format = format;
  image.width = width;
  image.height = height;
  for (size_t i = 0; i < 3; ++i) {
    image.strides[i] = strides[i];
    image.planes[i] = planes[i] == nullptr ? nullptr : planes[i]->data();
    image.plane_bytes[i] = planes[i] == nullptr ? 0 : planes[i]->size();
  }
  return image;
}

tally_tensor tensor_of(int32_t dtype, int32_t layout, int32_t width, int32_t height,
                       std::vector<uint8_t>& data) {
  tally_tensor tensor{};
  tensor.struct_size = sizeof tensor;
  tensor.dtype = dtype;
  tensor.layout = layout;
  tensor.width = width;
  tensor.height = height;
  tensor.data = data.data();
  tensor.bytes = data.size();
  return tensor;
}

void test_preprocessor_refuses_bad_arguments() {
  tally_preprocessor* preprocessor = nullptr;
  CHECK(tally_preprocessor_create(&preprocessor) == TALLY_OK);
  CHECK(tally_preprocessor_create(nullptr) == TALLY_INVALID_ARGUMENT);
  std::vector<uint8_t> pixels(8 * 6 * 3), input(16 * 16 * 3);
  tally_letterbox letterbox;
  const tally_image image = image_of(TALLY_BGR, 8, 6, {24, 0, 0}, {&pixels, nullptr, nullptr});
  const tally_tensor tensor = tensor_of(TALLY_UINT8, TALLY_NHWC, 16, 16, input);
  CHECK(tally_preprocessor_run(preprocessor, &image, &tensor, &letterbox) == TALLY_OK);
  const auto refused = [&](tally_image bad, tally_tensor target) {
    return tally_preprocessor_run(preprocessor, &bad, &target, &letterbox) ==
               TALLY_INVALID_ARGUMENT &&
           tally_preprocessor_error(preprocessor)[0] != '\0';
  };
  tally_image bad = image;
  bad.plane_bytes[0] -= 1;
  CHECK(refused(bad, tensor));
  bad = image;
  bad.strides[0] = 23;
  CHECK(refused(bad, tensor));
  bad = image;
  bad.width = std::numeric_limits<int32_t>::max();
  CHECK(refused(bad, tensor));
  bad = image;
  bad.height = -6;
  CHECK(refused(bad, tensor));
  bad = image;
  bad.format = 99;
  CHECK(refused(bad, tensor));
  bad = image;
  bad.rotation = 45;
  CHECK(refused(bad, tensor));
  bad = image;
  bad.format = TALLY_I420;  // needs three planes
  CHECK(refused(bad, tensor));
  tally_tensor small = tensor;
  small.bytes -= 1;
  CHECK(refused(image, small));
  small = tensor;
  small.data = nullptr;
  CHECK(refused(image, small));
  CHECK(tally_preprocessor_run(nullptr, &image, &tensor, &letterbox) == TALLY_INVALID_ARGUMENT);
  tally_preprocessor_destroy(preprocessor);
  tally_preprocessor_destroy(nullptr);
}

/// Every format, rotation, dtype and layout on odd sizes, with buffers of exactly the right size.
void test_preprocessor_stays_in_its_buffers() {
  tally_preprocessor* preprocessor = nullptr;
  tally_preprocessor_create(&preprocessor);
  for (const auto& [width, height] : {std::pair{7, 5}, {1, 1}, {33, 2}, {2, 33}, {16, 16}})
    for (int format = TALLY_BGR; format <= TALLY_I420; ++format)
      for (const int rotation : {0, 90, 180, 270})
        for (int dtype = TALLY_UINT8; dtype <= TALLY_FLOAT32; ++dtype)
          for (const int layout : {TALLY_NHWC, TALLY_NCHW}) {
            const int half_w = (width + 1) / 2, half_h = (height + 1) / 2;
            const int row = format <= TALLY_RGB    ? 3 * width
                            : format <= TALLY_RGBA ? 4 * width
                                                   : width;
            const int chroma = format == TALLY_I420 ? half_w : 2 * half_w;
            std::vector<uint8_t> luma(row * height, 9), u(chroma * half_h, 128), v(u);
            tally_image image =
                image_of(format, width, height, {row, chroma, chroma}, {&luma, &u, &v});
            image.rotation = rotation;
            std::vector<uint8_t> input(13 * 11 * 3 * (dtype == TALLY_FLOAT32 ? 4 : 1));
            const tally_tensor tensor = tensor_of(dtype, layout, 13, 11, input);
            tally_letterbox letterbox;
            CHECK(tally_preprocessor_run(preprocessor, &image, &tensor, &letterbox) == TALLY_OK);
          }
  tally_preprocessor_destroy(preprocessor);
}

/// What the fields of later versions allow and refuse; every buffer ends where it may.
void test_fields_of_cameras_and_engines() {
  tally_preprocessor* preprocessor = nullptr;
  tally_preprocessor_create(&preprocessor);
  tally_letterbox letterbox;
  const auto status = [&](const tally_image& image, const tally_tensor& tensor) {
    return tally_preprocessor_run(preprocessor, &image, &tensor, &letterbox);
  };
  for (const auto& [width, height] : {std::pair{7, 5}, {3, 1}, {33, 2}, {2, 33}, {40, 18}})
    for (const int rotation : {0, 90, 180, 270}) {
      const int half_w = (width + 1) / 2, half_h = (height + 1) / 2;
      std::vector<uint8_t> luma(width * height, 9), input(13 * 11 * 3);
      const tally_tensor tensor = tensor_of(TALLY_UINT8, TALLY_NHWC, 13, 11, input);
      // Three pointers and a step, whole rows only between rows.
      for (const int step : {1, 2, 3, 16}) {
        const int row = half_w * step + 1;
        std::vector<uint8_t> u(row * (half_h - 1) + (half_w - 1) * step + 1, 130), v(u);
        tally_image image = image_of(TALLY_I420, width, height, {width, row, row}, {&luma, &u, &v});
        image.chroma_step = step;
        image.rotation = rotation;
        image.yuv_range = TALLY_FULL_RANGE;
        image.yuv_matrix = TALLY_BT709;
        CHECK(status(image, tensor) == TALLY_OK);
        image.plane_bytes[2] -= 1;
        CHECK(status(image, tensor) == TALLY_INVALID_ARGUMENT);
      }
      // Pairs whose last byte is missing.
      std::vector<uint8_t> pairs(2 * half_w * half_h - 1, 130);
      tally_image image =
          image_of(TALLY_NV21, width, height, {width, 2 * half_w, 0}, {&luma, &pairs, nullptr});
      image.rotation = rotation;
      CHECK(status(image, tensor) == (half_w > 1 ? TALLY_OK : TALLY_INVALID_ARGUMENT));
      image.plane_bytes[1] -= 1;
      CHECK(status(image, tensor) == TALLY_INVALID_ARGUMENT);
      image.plane_bytes[1] += 1;
      image.chroma_step = 1;
      CHECK(status(image, tensor) == TALLY_INVALID_ARGUMENT);
    }
  tally_preprocessor_destroy(preprocessor);
}

/// Rows of an input that are further apart than they are long; what is between is not touched.
void test_inputs_with_longer_rows() {
  tally_preprocessor* preprocessor = nullptr;
  tally_preprocessor_create(&preprocessor);
  std::vector<uint8_t> pixels(20 * 30 * 3, 200);
  const tally_image image = image_of(TALLY_BGR, 20, 30, {60, 0, 0}, {&pixels, nullptr, nullptr});
  tally_letterbox letterbox;
  for (const int channels : {TALLY_CHANNELS_RGB, TALLY_CHANNELS_BGRA}) {
    const size_t used = 13 * (channels == TALLY_CHANNELS_BGRA ? 4 : 3), row = used + 5;
    std::vector<uint8_t> input(row * 10 + used, 77);
    tally_tensor tensor = tensor_of(TALLY_UINT8, TALLY_NHWC, 13, 11, input);
    tensor.channels = channels;
    tensor.row_bytes = row;
    CHECK(tally_preprocessor_run(preprocessor, &image, &tensor, &letterbox) == TALLY_OK);
    for (size_t i = 0; i < input.size(); ++i)
      if (i % row >= used) CHECK(input[i] == 77);
    const auto refused = [&](const tally_tensor& bad) {
      return tally_preprocessor_run(preprocessor, &image, &bad, &letterbox) ==
             TALLY_INVALID_ARGUMENT;
    };
    tally_tensor bad = tensor;
    bad.bytes -= 1;
    CHECK(refused(bad));
    bad = tensor;
    bad.row_bytes = used - 1;
    CHECK(refused(bad));
    bad = tensor;
    bad.row_bytes = std::numeric_limits<size_t>::max();
    CHECK(refused(bad));
    bad = tensor;
    bad.channels = 2;
    CHECK(refused(bad));
    bad = tensor;
    bad.dtype = TALLY_FLOAT16;
    CHECK(refused(bad));
  }
  std::vector<uint8_t> input(13 * 11 * 4);
  tally_tensor tensor = tensor_of(TALLY_INT8, TALLY_NHWC, 13, 11, input);
  tensor.channels = TALLY_CHANNELS_BGRA;
  CHECK(tally_preprocessor_run(preprocessor, &image, &tensor, &letterbox) ==
        TALLY_INVALID_ARGUMENT);
  tally_preprocessor_destroy(preprocessor);
}

/// Every bit pattern of binary16 against its definition: sign, exponent and significand.
void test_half_floats() {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const int exponent = static_cast<int>(bits >> 10 & 31), significand = bits & 1023;
    const float value = tally::to_float(tally::Half{static_cast<uint16_t>(bits)});
    if (exponent == 31 && significand != 0) {
      CHECK(std::isnan(value));
      continue;
    }
    double expected = exponent == 0 ? std::ldexp(significand, -24)
                                    : std::ldexp(1024 + significand, exponent - 25);
    if (exponent == 31) expected = std::numeric_limits<double>::infinity();
    CHECK(std::signbit(value) == (bits >> 15 == 1));
    CHECK(static_cast<double>(std::abs(value)) == expected);
  }
}

/// Correctly rounded, up to the rare case that lies half way between two floats; and the limits.
void test_exponential_and_logarithm() {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  int64_t beside = 0;
  for (uint64_t word = 0; word < (uint64_t{1} << 32); word += 65'521) {
    const auto bits = static_cast<uint32_t>(word);
    float x;
    std::memcpy(&x, &bits, sizeof x);
    if (std::isnan(x)) {
      CHECK(std::isnan(tally::exponential(x)) && std::isnan(tally::logarithm(x)));
      continue;
    }
    const double power = std::exp(static_cast<double>(x));
    beside += tally::exponential(x) != static_cast<float>(power) && power < 3.5e38;
    if (x < 0)
      CHECK(std::isnan(tally::logarithm(x)));
    else
      beside += tally::logarithm(x) != static_cast<float>(std::log(static_cast<double>(x)));
  }
  CHECK(beside == 0);
  CHECK(tally::exponential(0) == 1 && tally::exponential(-kInfinity) == 0);
  CHECK(tally::exponential(89) == kInfinity && tally::exponential(kInfinity) == kInfinity);
  CHECK(tally::logarithm(1) == 0 && tally::logarithm(0) == -kInfinity);
  CHECK(tally::logarithm(kInfinity) == kInfinity);
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

tally_counter* make_counter() {
  tally_counter_options options{};
  options.struct_size = sizeof options;
  tally_counter_defaults(&options);
  options.num_classes = 4;
  options.frame_width = 640;
  options.frame_height = 480;
  tally_counter* counter = nullptr;
  CHECK(tally_counter_create(&options, &counter, nullptr, 0) == TALLY_OK);
  return counter;
}

void test_counter_refuses_and_continues() {
  tally_counter* counter = make_counter();
  int32_t index = -1;
  const auto add = [&](const char* kind, std::vector<tally_point> points, int32_t extend = 0) {
    tally_region_options options{};
    options.struct_size = sizeof options;
    tally_region_defaults(&options);
    options.extend = extend;
    return tally_counter_add_region(counter, kind, points.data(),
                                    static_cast<int32_t>(points.size()), &options, &index);
  };
  CHECK(add("line", {{0, 100}, {0, 100}}) == TALLY_INVALID_ARGUMENT);
  CHECK(add("line", {{0, 100}, {NAN, 1}}) == TALLY_INVALID_ARGUMENT);
  CHECK(add("line", {{0, 100}, {1, 1}, {2, 2}}) == TALLY_INVALID_ARGUMENT);
  CHECK(add("line", {{0, 100}, {1, 1}}, 2) == TALLY_INVALID_ARGUMENT);
  CHECK(add("zone", {{0, 100}, {1, 1}}) == TALLY_INVALID_ARGUMENT);
  CHECK(add("queue", {{0, 100}, {1, 1}}) == TALLY_INVALID_ARGUMENT);
  CHECK(add("line", {{0, 100}, {640, 100}}) == TALLY_OK && index == 0);
  const tally_detection good{10, 10, 50, 50, 0.9f, 1};
  CHECK(tally_counter_update(counter, 1000, &good, 1) == TALLY_OK);
  CHECK(tally_counter_update(counter, 1000, &good, 1) == TALLY_OUT_OF_ORDER);
  CHECK(tally_counter_update(counter, 999, &good, 1) == TALLY_OUT_OF_ORDER);
  for (tally_detection bad :
       {tally_detection{50, 10, 10, 50, 0.9f, 1}, tally_detection{10, NAN, 50, 50, 0.9f, 1},
        tally_detection{10, 10, INFINITY, 50, 0.9f, 1}, tally_detection{10, 10, 50, 50, 1.5f, 1},
        tally_detection{10, 10, 50, 50, 0.9f, 4}, tally_detection{10, 10, 50, 50, 0.9f, -1}})
    CHECK(tally_counter_update(counter, 2000, &bad, 1) == TALLY_INVALID_ARGUMENT);
  CHECK(tally_counter_update(counter, 2000, nullptr, 1) == TALLY_INVALID_ARGUMENT);
  CHECK(tally_counter_update(counter, 2000, nullptr, 0) == TALLY_OK);
  tally_diagnostics diagnostics{};
  diagnostics.struct_size = sizeof diagnostics;
  CHECK(tally_counter_diagnostics(counter, &diagnostics) == TALLY_OK && diagnostics.frames == 2);
  int64_t totals[4];
  CHECK(tally_counter_unique(counter, totals, 3) == TALLY_BUFFER_TOO_SMALL);
  CHECK(tally_counter_region_total(counter, "line", 1, 0, totals, 4) == TALLY_INVALID_ARGUMENT);
  CHECK(tally_counter_region_total(counter, "line", 0, 2, totals, 4) == TALLY_INVALID_ARGUMENT);
  CHECK(tally_counter_region_total(counter, "line", 0, 1, totals, 4) == TALLY_OK);
  double value = 0;
  CHECK(tally_counter_region_value(counter, "line", 0, 1, &value) == TALLY_INVALID_ARGUMENT);
  CHECK(tally_counter_region_value(counter, "line", 0, 0, &value) == TALLY_OK && value == -1);
  tally_counter_destroy(counter);
}

/// An options struct of an earlier, shorter version: what it lacks has its default.
void test_struct_sizes() {
  tally_counter_options options{};
  for (const uint32_t size : {uint32_t{0}, uint32_t{3}, uint32_t{sizeof options + 4}}) {
    options.struct_size = size;
    tally_counter* counter = nullptr;
    char error[200] = "";
    CHECK(tally_counter_defaults(&options) == TALLY_UNSUPPORTED_SIZE);
    CHECK(tally_counter_create(&options, &counter, error, sizeof error) == TALLY_UNSUPPORTED_SIZE);
    CHECK(counter == nullptr && std::strstr(error, "struct_size") != nullptr);
    CHECK(tally_counter_create(&options, &counter, error, 7) == TALLY_UNSUPPORTED_SIZE);
    CHECK(std::strlen(error) == 6);
  }
  // Memory behind an earlier struct is neither read nor written.
  options.hysteresis = 99;
  options.struct_size = offsetof(tally_counter_options, hysteresis);
  CHECK(tally_counter_defaults(&options) == TALLY_OK && options.hysteresis == 99);
  CHECK(options.lost_s == 3.0f && options.num_classes == 80);
  tally_counter* counter = nullptr;
  CHECK(tally_counter_create(&options, &counter, nullptr, 0) == TALLY_OK);
  tally_diagnostics diagnostics{};
  diagnostics.fastest = 77;
  diagnostics.frames = 77;
  diagnostics.struct_size = offsetof(tally_diagnostics, fastest);
  CHECK(tally_counter_diagnostics(counter, &diagnostics) == TALLY_OK);
  CHECK(diagnostics.frames == 0 && diagnostics.fastest == 77);
  tally_counter_destroy(counter);
}

void test_counter_soak_of_random_boxes() {
  tally_counter* counter = make_counter();
  int32_t index;
  const tally_point ends[] = {{0, 240}, {640, 240}};
  CHECK(tally_counter_add_region(counter, "line", ends, 2, nullptr, &index) == TALLY_OK);
  const tally_point corners[] = {{100, 100}, {500, 120}, {300, 200}, {480, 400}, {90, 380}};
  CHECK(tally_counter_add_region(counter, "zone", corners, 5, nullptr, &index) == TALLY_OK);
  std::mt19937 random(11);
  std::uniform_real_distribution<float> uniform(0, 1);
  std::vector<tally_detection> detections(25);
  for (int frame = 0; frame < 2000; ++frame) {
    for (auto& d : detections) {
      const float x = 600 * uniform(random), y = 440 * uniform(random), size = 40 * uniform(random);
      d = {
          x, y, x + size, y + size, uniform(random), static_cast<int32_t>(4 * uniform(random)) % 4};
    }
    const auto now = static_cast<int64_t>(frame) * 33'000'000;
    CHECK(tally_counter_update(counter, now, detections.data(), 25) == TALLY_OK);
  }
  int64_t now[4], entered[4], left[4];
  CHECK(tally_counter_region_total(counter, "zone", 0, 0, now, 4) == TALLY_OK);
  CHECK(tally_counter_region_total(counter, "zone", 0, 1, entered, 4) == TALLY_OK);
  CHECK(tally_counter_region_total(counter, "zone", 0, 2, left, 4) == TALLY_OK);
  for (int i = 0; i < 4; ++i) CHECK(now[i] == entered[i] - left[i] && now[i] >= 0);
  tally_diagnostics diagnostics{};
  diagnostics.struct_size = sizeof diagnostics;
  tally_counter_diagnostics(counter, &diagnostics);
  CHECK(diagnostics.live_tracks < 2000);  // bounded by what is in view, not by what has been
  tally_counter_destroy(counter);
}

}  // namespace

int main() {
  test_assignment_is_cheapest();
  test_sparse_assignment_is_as_cheap();
  test_only_unambiguous_pairs_are_left();
  test_box_index_finds_all();
  test_assignment_leaves_forbidden_pairs();
  test_assignment_prefers_one_good_pair_to_two_poor_ones();
  test_line_reports_the_point_of_crossing();
  test_the_table_of_rules_is_sound();
  test_preprocessor_refuses_bad_arguments();
  test_preprocessor_stays_in_its_buffers();
  test_fields_of_cameras_and_engines();
  test_inputs_with_longer_rows();
  test_half_floats();
  test_exponential_and_logarithm();
  test_heads_with_strides_are_bounded();
  test_decoder_survives_any_bits();
  test_counter_refuses_and_continues();
  test_struct_sizes();
  test_counter_soak_of_random_boxes();
  std::printf("core: %d passed, %d failed\n", checks - failures, failures);
  return failures == 0 ? 0 : 1;
}
