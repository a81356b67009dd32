/* The core from plain C: what an application compiled with an earlier or a later header sees, and
 * one object counted over a line. */
#include <stdio.h>
#include <string.h>

#include "tally.h"

static int failures = 0;
#define CHECK(holds)                                         \
  do {                                                       \
    if (!(holds)) {                                          \
      printf("c_test.c:%d: failed: %s\n", __LINE__, #holds); \
      failures += 1;                                         \
    }                                                        \
  } while (0)

/* The counter's options as before `hysteresis` was added, and something else after them. */
typedef struct earlier {
  char bytes[offsetof(tally_counter_options, hysteresis)];
  char next[8];
} earlier;

typedef struct later {
  tally_counter_options options;
  float another;
} later;

static void test_options_of_an_earlier_version(void) {
  union {
    earlier old;
    tally_counter_options options;
  } given;
  tally_counter* counter = NULL;
  char error[200] = "unchanged";
  memset(&given, 7, sizeof given);
  given.options.struct_size = offsetof(earlier, next);
  CHECK(tally_counter_defaults(&given.options) == TALLY_OK);
  CHECK(given.old.next[0] == 7 && given.old.next[7] == 7);
  CHECK(given.options.edge_lost_s == 0.5f);
  CHECK(tally_counter_create(&given.options, &counter, error, sizeof error) == TALLY_OK);
  CHECK(counter != NULL && error[0] == '\0');
  tally_counter_destroy(counter);
}

static void test_options_of_a_later_version(void) {
  later given;
  tally_counter* counter = NULL;
  char error[200] = "";
  memset(&given, 0, sizeof given);
  given.options.struct_size = sizeof given;
  CHECK(tally_counter_defaults(&given.options) == TALLY_UNSUPPORTED_SIZE);
  CHECK(tally_counter_create(&given.options, &counter, error, sizeof error) ==
        TALLY_UNSUPPORTED_SIZE);
  CHECK(counter == NULL && strcmp(error, tally_status_text(TALLY_UNSUPPORTED_SIZE)) == 0);
  given.options.struct_size = 0;
  CHECK(tally_counter_create(&given.options, &counter, NULL, 0) == TALLY_UNSUPPORTED_SIZE);
}

static void test_refused_options_are_named(void) {
  tally_counter_options options;
  tally_counter* counter = NULL;
  char error[24];
  options.struct_size = sizeof options;
  CHECK(tally_counter_defaults(&options) == TALLY_OK);
  options.lost_s = -1;
  CHECK(tally_counter_create(&options, &counter, error, sizeof error) == TALLY_INVALID_ARGUMENT);
  CHECK(strcmp(error, "lost_s is -1; use 0 to ") == 0);
}

static void test_one_object_over_a_line(void) {
  tally_counter_options options;
  tally_counter* counter = NULL;
  const tally_point ends[2] = {{0, 240}, {640, 240}};
  tally_event events[8];
  int64_t totals[1] = {-1};
  double nearest = -2;
  int32_t index = -1, count = 0;
  options.struct_size = sizeof options;
  tally_counter_defaults(&options);
  options.num_classes = 1;
  options.frame_width = 640;
  options.frame_height = 480;
  CHECK(tally_counter_create(&options, &counter, NULL, 0) == TALLY_OK);
  CHECK(tally_counter_add_region(counter, "line", ends, 2, NULL, &index) == TALLY_OK);
  CHECK(index == 0);
  for (int frame = 0; frame < 20; ++frame) {
    const float y = 100.0f + 10.0f * (float)frame;
    const tally_detection box = {300, y, 340, y + 60, 0.9f, 0};
    CHECK(tally_counter_update(counter, frame * INT64_C(100000000), &box, 1) == TALLY_OK);
  }
  CHECK(tally_counter_region_total(counter, "line", 0, 0, totals, 1) == TALLY_OK);
  CHECK(totals[0] == 1 && strcmp(tally_region_total_name("line", 0), "in") == 0);
  CHECK(tally_counter_region_value(counter, "line", 0, 0, &nearest) == TALLY_OK);
  CHECK(nearest >= 0 && nearest < 10);
  CHECK(tally_counter_take_events(counter, events, 8, &count) == TALLY_OK && count == 2);
  CHECK(strcmp(tally_event_kind_name(events[1].kind), "crossed_in") == 0);
  tally_counter_destroy(counter);
}

int main(void) {
  test_options_of_an_earlier_version();
  test_options_of_a_later_version();
  test_refused_options_are_named();
  test_one_object_over_a_line();
  printf("c: %d failed\n", failures);
  return failures != 0;
}
