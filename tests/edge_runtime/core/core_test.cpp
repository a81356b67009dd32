// The core's own tests, run under AddressSanitizer and UBSan by tests/edge_runtime/core/run.sh.
// They look for what Python cannot see: memory errors, leaks and undefined behaviour on input that
// the C interface must refuse, and the parts that it does not show.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "assignment.h"
#include "places.h"
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

/// Least cost over all permutations, for up to six rows.
float cheapest(const tally::CostMatrix& costs) {
  std::vector<int> columns(costs.columns());
  std::iota(columns.begin(), columns.end(), 0);
  float best = std::numeric_limits<float>::infinity();
  do {
    float sum = 0;
    for (int r = 0; r < std::min(costs.rows(), costs.columns()); ++r) sum += costs.at(r, columns[r]);
    best = std::min(best, sum);
  } while (std::next_permutation(columns.begin(), columns.end()));
  return best;
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
  const tally::Line line({0, 10}, {100, 10}, false);
  tally::Line::State state;
  line.begin(state, {50, 0});
  const auto crossing = line.advance(state, {{50, 0}, {50, 40}, 0, 1000, 5});
  CHECK(crossing && crossing->in && crossing->timestamp_ns == 250);
  CHECK(crossing && std::abs(crossing->at.y - 10) < 1e-4f);
  // Around the end of the segment: the side changes, nothing is counted.
  tally::Line::State other;
  line.begin(other, {150, 0});
  CHECK(!line.advance(other, {{150, 0}, {150, 40}, 0, 1000, 5}));
}

void test_preprocessor_refuses_bad_arguments() {
  tally_preprocessor* preprocessor = nullptr;
  CHECK(tally_preprocessor_create(&preprocessor) == TALLY_OK);
  CHECK(tally_preprocessor_create(nullptr) == TALLY_INVALID_ARGUMENT);
  std::vector<uint8_t> pixels(8 * 6 * 3), input(16 * 16 * 3);
  tally_letterbox letterbox;
  tally_image image{{pixels.data(), nullptr, nullptr}, {pixels.size(), 0, 0}, {24, 0, 0}, 8, 6,
                    TALLY_BGR, 0};
  tally_tensor tensor{input.data(), input.size(), 16, 16, TALLY_UINT8, TALLY_NHWC};
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
            const int row = format <= TALLY_RGB ? 3 * width : format <= TALLY_RGBA ? 4 * width : width;
            const int chroma = format == TALLY_I420 ? half_w : 2 * half_w;
            std::vector<uint8_t> luma(row * height, 9), u(chroma * half_h, 128), v(u);
            const tally_image image{{luma.data(), u.data(), v.data()},
                                    {luma.size(), u.size(), v.size()},
                                    {row, chroma, chroma},
                                    width, height, format, rotation};
            std::vector<uint8_t> input(13 * 11 * 3 * (dtype == TALLY_FLOAT32 ? 4 : 1));
            const tally_tensor tensor{input.data(), input.size(), 13, 11, dtype, layout};
            tally_letterbox letterbox;
            CHECK(tally_preprocessor_run(preprocessor, &image, &tensor, &letterbox) == TALLY_OK);
          }
  tally_preprocessor_destroy(preprocessor);
}

void test_decoder_survives_any_bits() {
  tally_decoder_options options;
  tally_decoder_defaults(&options);
  options.num_classes = 3;
  options.confidence = 0.2f;
  options.max_detections = 20;
  tally_decoder* decoder = nullptr;
  CHECK(tally_decoder_create(&options, &decoder) == TALLY_OK);
  const float anchors[] = {10, 13, 16, 30};
  const tally_letterbox letterbox{1, 1, 0, 0, 64, 64};
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    const int dtype = round % 3, layout = round / 3 % 2;
    const size_t values = 2 * 8 * 4 * 5;
    std::vector<uint32_t> bits(values);
    for (auto& word : bits) word = static_cast<uint32_t>(random());
    const tally_head head{bits.data(), values * (dtype == TALLY_FLOAT32 ? 4 : 1), dtype, layout, 5,
                          4, 8, 0.1f, 3, anchors, 2};
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
  CHECK(tally_decoder_create(&options, &decoder) == TALLY_INVALID_ARGUMENT && decoder == nullptr);
}

tally_counter* make_counter() {
  tally_counter_options options;
  tally_counter_defaults(&options);
  options.num_classes = 4;
  options.frame_width = 640;
  options.frame_height = 480;
  tally_counter* counter = nullptr;
  CHECK(tally_counter_create(&options, &counter) == TALLY_OK);
  return counter;
}

void test_counter_refuses_and_goes_on() {
  tally_counter* counter = make_counter();
  int32_t index = -1;
  CHECK(tally_counter_add_line(counter, {0, 100}, {0, 100}, 0, &index) == TALLY_INVALID_ARGUMENT);
  CHECK(tally_counter_add_line(counter, {0, 100}, {NAN, 1}, 0, &index) == TALLY_INVALID_ARGUMENT);
  CHECK(tally_counter_add_line(counter, {0, 100}, {640, 100}, 0, &index) == TALLY_OK && index == 0);
  const tally_detection good{10, 10, 50, 50, 0.9f, 1};
  CHECK(tally_counter_update(counter, 1000, &good, 1) == TALLY_OK);
  CHECK(tally_counter_update(counter, 1000, &good, 1) == TALLY_OUT_OF_ORDER);
  CHECK(tally_counter_update(counter, 999, &good, 1) == TALLY_OUT_OF_ORDER);
  for (tally_detection bad : {tally_detection{50, 10, 10, 50, 0.9f, 1},
                              tally_detection{10, NAN, 50, 50, 0.9f, 1},
                              tally_detection{10, 10, INFINITY, 50, 0.9f, 1},
                              tally_detection{10, 10, 50, 50, 1.5f, 1},
                              tally_detection{10, 10, 50, 50, 0.9f, 4},
                              tally_detection{10, 10, 50, 50, 0.9f, -1}})
    CHECK(tally_counter_update(counter, 2000, &bad, 1) == TALLY_INVALID_ARGUMENT);
  CHECK(tally_counter_update(counter, 2000, nullptr, 1) == TALLY_INVALID_ARGUMENT);
  CHECK(tally_counter_update(counter, 2000, nullptr, 0) == TALLY_OK);
  tally_diagnostics diagnostics;
  CHECK(tally_counter_diagnostics(counter, &diagnostics) == TALLY_OK && diagnostics.frames == 2);
  int64_t totals[4];
  CHECK(tally_counter_unique(counter, totals, 3) == TALLY_BUFFER_TOO_SMALL);
  CHECK(tally_counter_line(counter, 1, totals, totals, 4) == TALLY_INVALID_ARGUMENT);
  tally_counter_destroy(counter);
}

void test_counter_soak_of_random_boxes() {
  tally_counter* counter = make_counter();
  int32_t index;
  tally_counter_add_line(counter, {0, 240}, {640, 240}, 0, &index);
  const tally_point corners[] = {{100, 100}, {500, 120}, {300, 200}, {480, 400}, {90, 380}};
  CHECK(tally_counter_add_zone(counter, corners, 5, &index) == TALLY_OK);
  std::mt19937 random(11);
  std::uniform_real_distribution<float> uniform(0, 1);
  std::vector<tally_detection> detections(25);
  for (int frame = 0; frame < 2000; ++frame) {
    for (auto& d : detections) {
      const float x = 600 * uniform(random), y = 440 * uniform(random), size = 40 * uniform(random);
      d = {x, y, x + size, y + size, uniform(random), static_cast<int32_t>(4 * uniform(random)) % 4};
    }
    const auto now = static_cast<int64_t>(frame) * 33'000'000;
    CHECK(tally_counter_update(counter, now, detections.data(), 25) == TALLY_OK);
  }
  int64_t now[4], entered[4], left[4];
  CHECK(tally_counter_zone(counter, 0, now, entered, left, 4) == TALLY_OK);
  for (int i = 0; i < 4; ++i) CHECK(now[i] == entered[i] - left[i] && now[i] >= 0);
  tally_diagnostics diagnostics;
  tally_counter_diagnostics(counter, &diagnostics);
  CHECK(diagnostics.live_tracks < 2000);  // bounded by what is in view, not by what has been
  tally_counter_destroy(counter);
}

}  // namespace

int main() {
  test_assignment_is_cheapest();
  test_assignment_leaves_forbidden_pairs();
  test_assignment_prefers_one_good_pair_to_two_poor_ones();
  test_line_reports_the_point_of_crossing();
  test_preprocessor_refuses_bad_arguments();
  test_preprocessor_stays_in_its_buffers();
  test_decoder_survives_any_bits();
  test_counter_refuses_and_goes_on();
  test_counter_soak_of_random_boxes();
  std::printf("core: %d passed, %d failed\n", checks - failures, failures);
  return failures == 0 ? 0 : 1;
}
