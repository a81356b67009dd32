// The counter: what it refuses, struct sizes, and random boxes.
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "checks.h"
#include "tally.h"

namespace {

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

void test_counter() {
  test_counter_refuses_and_continues();
  test_struct_sizes();
  test_counter_soak_of_random_boxes();
}
