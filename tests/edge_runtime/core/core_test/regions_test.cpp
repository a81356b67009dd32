// Lines, and the table of counting rules.
#include <cmath>
#include <cstdint>

#include "checks.h"
#include "region.h"
#include "tally.h"

namespace {

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

}  // namespace

void test_regions() {
  test_line_reports_the_point_of_crossing();
  test_the_table_of_rules_is_sound();
}
