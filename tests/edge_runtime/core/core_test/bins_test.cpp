// Counts over time, withheld events and findings: what the C interface must refuse, and that the
// handle can still be used.
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "checks.h"
#include "tally.h"

namespace {

tally_bins* make_bins(int32_t join, int32_t max_bins) {
  tally_bins_options options{};
  options.struct_size = sizeof options;
  tally_bins* bins = nullptr;
  CHECK(tally_bins_defaults(&options) == TALLY_OK && options.max_bins == 86'400);
  options.join = join;
  options.max_bins = max_bins;
  CHECK(tally_bins_create(&options, &bins, nullptr, 0) == TALLY_OK);
  return bins;
}

std::vector<tally_bin> numbers_of(tally_bins* bins, int64_t* seconds) {
  std::vector<tally_bin> numbers(100);
  int32_t count = 0;
  CHECK(tally_bins_numbers(bins, numbers.data(), 100, &count, seconds) == TALLY_OK);
  numbers.resize(count);
  return numbers;
}

void test_options_of_bins() {
  const tally_bins_options refused[] = {{sizeof(tally_bins_options), 2, 10},
                                        {sizeof(tally_bins_options), -1, 10},
                                        {sizeof(tally_bins_options), 0, 0},
                                        {sizeof(tally_bins_options), 0, (1 << 20) + 1}};
  for (const tally_bins_options& options : refused) {
    tally_bins* bins = nullptr;
    char error[80] = "";
    CHECK(tally_bins_create(&options, &bins, error, sizeof error) == TALLY_INVALID_ARGUMENT);
    CHECK(bins == nullptr && std::strlen(error) > 5);
  }
}

void test_bins_widen_and_refuse() {
  tally_bins* bins = make_bins(TALLY_JOIN_SUM, 3);
  const int32_t keys[] = {7, 2, 7}, wrong[] = {1, -1};
  for (const double time_s : {0.0, 1.0, 2.0, 7.9})
    CHECK(tally_bins_add(bins, time_s, keys, 3) == TALLY_OK);
  for (const double time_s : {-0.1, 1e16, std::nan(""), std::numeric_limits<double>::infinity()})
    CHECK(tally_bins_add(bins, time_s, keys, 3) == TALLY_INVALID_ARGUMENT);
  CHECK(tally_bins_add(bins, 1, wrong, 2) == TALLY_INVALID_ARGUMENT);
  CHECK(tally_bins_add(bins, 1, keys, -1) == TALLY_INVALID_ARGUMENT);
  CHECK(tally_bins_add(bins, 1, nullptr, 0) == TALLY_OK);
  int64_t seconds = 0;
  const std::vector<tally_bin> numbers = numbers_of(bins, &seconds);
  const tally_bin expected[] = {{0, 2, 2, 0}, {0, 4, 7, 0}, {2, 1, 2, 0},
                                {2, 2, 7, 0}, {6, 1, 2, 0}, {6, 2, 7, 0}};
  CHECK(seconds == 2 && numbers.size() == 6);
  for (size_t i = 0; i < numbers.size(); ++i)
    CHECK(std::memcmp(&numbers[i], &expected[i], sizeof expected[i]) == 0);
  int32_t count = 0;
  tally_bin few[2];
  CHECK(tally_bins_numbers(bins, few, 2, &count, nullptr) == TALLY_BUFFER_TOO_SMALL && count == 6);
  tally_bins_destroy(bins);
}

void test_bins_are_restored_in_any_order() {
  tally_bins* bins = make_bins(TALLY_JOIN_MAX, 2);
  const tally_bin saved[] = {{12, 1, 0, 0}, {0, 3, 1, 0}, {4, 5, 1, 0}, {0, 2, 0, 0}, {0, 9, 1, 0}};
  CHECK(tally_bins_restore(bins, 4, saved, 5) == TALLY_OK);
  int64_t seconds = 0;
  std::vector<tally_bin> numbers = numbers_of(bins, &seconds);
  CHECK(seconds == 8 && numbers.size() == 3);
  CHECK(numbers[0].number == 2 && numbers[1].number == 9 && numbers[2].start_s == 8);
  const int64_t most = std::numeric_limits<int64_t>::max();
  const tally_bin refused[] = {
      {1, 1, 0, 0}, {-4, 1, 0, 0}, {most - 3, 1, 0, 0}, {4, 1, -1, 0}, {4, int64_t{1} << 31, 0, 0},
      {4, -1, 0, 0}};
  for (const tally_bin& one : refused)
    CHECK(tally_bins_restore(bins, 4, &one, 1) == TALLY_BAD_STATE);
  for (const int64_t width : {int64_t{0}, int64_t{-1}, most})
    CHECK(tally_bins_restore(bins, width, saved, 0) == TALLY_BAD_STATE);
  CHECK(numbers_of(bins, &seconds).size() == 3 && seconds == 8);
  CHECK(tally_bins_restore(bins, 1, nullptr, 0) == TALLY_OK && numbers_of(bins, nullptr).empty());
  const tally_bin far = {int64_t{1} << 53, 1, 0, 0};
  CHECK(tally_bins_restore(bins, 1, &far, 1) == TALLY_OK);
  CHECK(tally_bins_add(bins, 0, &far.key, 1) == TALLY_OK);
  CHECK(tally_bins_compact(bins) == TALLY_OK && numbers_of(bins, nullptr).size() == 2);
  CHECK(tally_bins_add(bins, 90'000, &far.key, 1) ==
        TALLY_OK);  // a third: wider until they are two
  CHECK(numbers_of(bins, &seconds).size() == 2 && seconds > 90'000);
  tally_bins_destroy(bins);
}

tally_counter* make_counter(bool withhold) {
  tally_counter_options options{};
  options.struct_size = sizeof options;
  tally_counter_defaults(&options);
  options.num_classes = 2;
  options.frame_width = options.frame_height = 400;
  tally_counter* counter = nullptr;
  const int32_t wanted[] = {1};
  CHECK(tally_counter_create(&options, &counter, nullptr, 0) == TALLY_OK);
  CHECK(tally_counter_want_classes(counter, wanted, 1) == TALLY_OK);
  if (withhold) CHECK(tally_counter_withhold(counter) == TALLY_OK);
  return counter;
}

/// One object of a class for some frames of 100 ms.
void show(tally_counter* counter, int first, int frames, int32_t class_id) {
  for (int i = first; i < first + frames; ++i) {
    const auto x = static_cast<float>(50 + i);
    const tally_detection found = {x, 50, x + 20, 70, 0.9f, class_id};
    CHECK(tally_counter_update(counter, i * int64_t{100'000'000}, &found, 1) == TALLY_OK);
  }
}

void test_events_follow_their_object() {
  tally_counter *counter = make_counter(true), *resumed = make_counter(true);
  tally_withheld withheld[4];
  tally_event events[4];
  int32_t count = 0;
  show(counter, 0, 10, 0);
  CHECK(tally_counter_withhold(counter) == TALLY_INVALID_ARGUMENT);
  CHECK(tally_counter_take_events(counter, events, 4, &count) == TALLY_OK && count == 0);
  CHECK(tally_counter_withheld(counter, withheld, 0, &count) == TALLY_BUFFER_TOO_SMALL);
  CHECK(tally_counter_withheld(counter, withheld, 4, &count) == TALLY_OK && count == 1);
  CHECK(withheld[0].event.kind == TALLY_CONFIRMED && withheld[0].seen_ns == 900'000'000);
  size_t size = 0;
  tally_counter_save(counter, nullptr, 0, &size);
  std::vector<uint8_t> state(size);
  CHECK(tally_counter_save(counter, state.data(), size, &size) == TALLY_OK);
  CHECK(tally_counter_restore(resumed, state.data(), size) == TALLY_OK);
  CHECK(tally_counter_restore_withheld(resumed, withheld, 1) == TALLY_OK);
  for (tally_counter* one : {counter, resumed}) {
    show(one, 10, 40, 1);
    CHECK(tally_counter_take_events(one, events, 4, &count) == TALLY_OK && count == 2);
    CHECK(events[0].kind == TALLY_CONFIRMED && events[0].class_id == 1);
    CHECK(events[1].kind == TALLY_RECLASSIFIED && events[1].previous_class_id == 0);
    CHECK(tally_counter_withheld(one, withheld, 4, &count) == TALLY_OK && count == 0);
    tally_counter_destroy(one);
  }
}

void test_withheld_events_that_no_counter_gave() {
  tally_counter* counter = make_counter(true);
  tally_withheld good{};
  good.event = {0, 1, TALLY_CONFIRMED, 0, -1, -1, 1, 1, 0.5f, 0, 0};
  CHECK(tally_counter_restore_withheld(counter, &good, 1) == TALLY_OK);
  std::vector<tally_withheld> refused(9, good);
  refused[0].seen_ns = std::numeric_limits<int64_t>::min();
  refused[1].event.timestamp_ns = std::numeric_limits<int64_t>::max();
  refused[2].event.track_id = -1;
  refused[3].event.kind = 99;
  refused[4].event.kind = TALLY_RECLASSIFIED;
  refused[5].event.class_id = 2;
  refused[6].event.class_id = -1;
  refused[7].event.x = std::nanf("");
  refused[8].event.kind = TALLY_CROSSED_IN;  // the counter has no line
  for (const tally_withheld& one : refused)
    CHECK(tally_counter_restore_withheld(counter, &one, 1) == TALLY_BAD_STATE);
  int32_t count = 0;
  tally_withheld kept[2];
  CHECK(tally_counter_withheld(counter, kept, 2, &count) == TALLY_OK && count == 1);
  CHECK(tally_counter_reset(counter) == TALLY_OK);
  CHECK(tally_counter_withheld(counter, kept, 2, &count) == TALLY_OK && count == 0);
  CHECK(tally_counter_restore_withheld(counter, &good, 1) == TALLY_OK);
  CHECK(tally_counter_restore_withheld(counter, nullptr, 0) == TALLY_OK);
  CHECK(tally_counter_withheld(counter, kept, 2, &count) == TALLY_OK && count == 0);
  tally_counter_destroy(counter);
}

void test_findings() {
  tally_counter* counter = make_counter(false);
  tally_finding found[2];
  int32_t count = 0;
  CHECK(tally_counter_findings(counter, found, 2, &count) == TALLY_OK && count == 1);
  CHECK(found[0].cause == TALLY_CAUSE_NO_FRAME && found[0].rule == -1 && found[0].region == -1);
  show(counter, 0, 10, 0);
  CHECK(tally_counter_findings(counter, found, 0, &count) == TALLY_BUFFER_TOO_SMALL);
  CHECK(tally_counter_findings(counter, found, 2, &count) == TALLY_OK && count == 1);
  CHECK(found[0].cause == TALLY_CAUSE_OTHER_OBJECTS && found[0].num_classes == 1);
  CHECK(found[0].class_ids[0] == 0 && found[0].totals[0] == 1);
  tally_counter_destroy(counter);
}

}  // namespace

void test_bins() {
  test_options_of_bins();
  test_bins_widen_and_refuse();
  test_bins_are_restored_in_any_order();
  test_events_follow_their_object();
  test_withheld_events_that_no_counter_gave();
  test_findings();
}
