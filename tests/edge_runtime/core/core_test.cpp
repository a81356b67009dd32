// The core's own tests, run under AddressSanitizer and UBSan by tests/edge_runtime/core/run.sh.
// They look for what Python cannot see: memory errors, leaks and undefined behavior on input that
// the C interface must refuse, and the parts that it does not show.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "assignment.h"
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

void test_preprocessor_refuses_bad_arguments() {
  tally_preprocessor* preprocessor = nullptr;
  CHECK(tally_preprocessor_create(&preprocessor) == TALLY_OK);
  CHECK(tally_preprocessor_create(nullptr) == TALLY_INVALID_ARGUMENT);
  std::vector<uint8_t> pixels(8 * 6 * 3), input(16 * 16 * 3);
  tally_letterbox letterbox;
  tally_image image{
      sizeof(tally_image),  TALLY_BGR, 8, 6, 0, {24, 0, 0}, {pixels.data(), nullptr, nullptr},
      {pixels.size(), 0, 0}};
  tally_tensor tensor{sizeof(tally_tensor), TALLY_UINT8, TALLY_NHWC, 16, 16,
                      input.data(),         input.size()};
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
            const tally_image image{sizeof(tally_image),
                                    format,
                                    width,
                                    height,
                                    rotation,
                                    {row, chroma, chroma},
                                    {luma.data(), u.data(), v.data()},
                                    {luma.size(), u.size(), v.size()}};
            std::vector<uint8_t> input(13 * 11 * 3 * (dtype == TALLY_FLOAT32 ? 4 : 1));
            const tally_tensor tensor{sizeof(tally_tensor), dtype,       layout, 13, 11,
                                      input.data(),         input.size()};
            tally_letterbox letterbox;
            CHECK(tally_preprocessor_run(preprocessor, &image, &tensor, &letterbox) == TALLY_OK);
          }
  tally_preprocessor_destroy(preprocessor);
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
    const int dtype = round % 3, layout = round / 3 % 2;
    const size_t values = 2 * 8 * 4 * 5;
    std::vector<uint32_t> bits(values);
    for (auto& word : bits) word = static_cast<uint32_t>(random());
    const tally_head head{sizeof(tally_head),
                          dtype,
                          layout,
                          5,
                          4,
                          8,
                          0.1f,
                          3,
                          bits.data(),
                          values * (dtype == TALLY_FLOAT32 ? 4 : 1),
                          anchors,
                          2,
                          0};
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
  test_decoder_survives_any_bits();
  test_counter_refuses_and_continues();
  test_struct_sizes();
  test_counter_soak_of_random_boxes();
  std::printf("core: %d passed, %d failed\n", checks - failures, failures);
  return failures == 0 ? 0 : 1;
}
