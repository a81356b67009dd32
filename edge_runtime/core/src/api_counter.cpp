// The C interface of the counter. No logic lives here.
#include "exact_floats.h"

#include "api.h"
#include "counter.h"
#include "options.h"

using tally::call;
using tally::require;

struct tally_counter : tally::Counter {
  using Counter::Counter;
};

namespace {

std::string_view kind_of(const char* kind) {
  require(kind != nullptr, "kind is NULL");
  return kind;
}

const char* name_at(const tally::Names& names, int32_t index) {
  return index >= 0 && static_cast<size_t>(index) < names.size() ? names[index] : nullptr;
}

tally::Points points_of(const tally_point* points, int32_t num_points) {
  require(points != nullptr && num_points >= 0, "points are NULL");
  tally::Points copied;
  for (int32_t i = 0; i < num_points; ++i) copied.push_back({points[i].x, points[i].y});
  return copied;
}

}  // namespace

tally_status tally_counter_defaults(tally_counter_options* options) {
  return tally::fill_defaults(options, tally::counter_defaults());
}

tally_status tally_region_defaults(tally_region_options* options) {
  return tally::fill_defaults(options, tally::region_defaults());
}

tally_status tally_counter_create(const tally_counter_options* options, tally_counter** out,
                                  char* error, size_t capacity) {
  return tally::create(out, error, capacity, [&] {
    require(options != nullptr, "options are NULL");
    return std::make_unique<tally_counter>(tally::complete(*options, tally::counter_defaults()));
  });
}
void tally_counter_destroy(tally_counter* counter) { delete counter; }
const char* tally_counter_error(const tally_counter* counter) { return tally::error_of(counter); }

const char* tally_region_kind(int32_t rule) {
  const auto& rules = tally::region_rules();
  return rule >= 0 && static_cast<size_t>(rule) < rules.size() ? rules[rule].name : nullptr;
}

const char* tally_region_total_name(const char* kind, int32_t total) {
  const tally::RegionRule* rule = kind == nullptr ? nullptr : tally::find_rule(kind);
  return rule == nullptr ? nullptr : name_at(rule->totals, total);
}

const char* tally_region_value_name(const char* kind, int32_t value) {
  const tally::RegionRule* rule = kind == nullptr ? nullptr : tally::find_rule(kind);
  return rule == nullptr ? nullptr : name_at(rule->values, value);
}

const char* tally_event_kind_name(int32_t event_kind) { return tally::event_name(event_kind); }

const char* tally_event_region_kind(int32_t event_kind) {
  const tally::RegionRule* rule = tally::rule_of_event(event_kind);
  return rule == nullptr ? nullptr : rule->name;
}

tally_status tally_counter_add_region(tally_counter* counter, const char* kind,
                                      const tally_point* points, int32_t num_points,
                                      const tally_region_options* options, int32_t* index) {
  return call(counter, [&](tally_counter& self) {
    require(index != nullptr, "index is NULL");
    const auto defaults = tally::region_defaults();
    *index = self.add_region(kind_of(kind), points_of(points, num_points),
                             options == nullptr ? defaults : tally::complete(*options, defaults));
  });
}

tally_status tally_counter_want_classes(tally_counter* counter, const int32_t* class_ids,
                                        int32_t count) {
  return call(counter, [&](tally_counter& self) {
    require(count >= 0 && class_ids != nullptr, "class ids are NULL");
    self.want_classes({class_ids, class_ids + count});
  });
}

tally_status tally_counter_withhold(tally_counter* counter) {
  return call(counter, [](tally_counter& self) { self.withhold(); });
}

tally_status tally_counter_ignore(tally_counter* counter, const tally_point* points,
                                  int32_t num_points) {
  return call(counter, [&](tally_counter& self) { self.ignore(points_of(points, num_points)); });
}

tally_status tally_counter_usable(tally_counter* counter, const tally_detection* detections,
                                  int32_t count, int32_t* out) {
  return call(counter, [&](tally_counter& self) {
    require(count >= 0 && ((detections != nullptr && out != nullptr) || count == 0),
            "detections or results are NULL");
    for (int32_t i = 0; i < count; ++i) out[i] = self.is_usable(detections[i]) ? 1 : 0;
  });
}

tally_status tally_counter_update(tally_counter* counter, int64_t timestamp_ns,
                                  const tally_detection* detections, int32_t count) {
  return call(counter, [&](tally_counter& self) { self.update(timestamp_ns, detections, count); });
}

tally_status tally_counter_tracks(tally_counter* counter, tally_track* out, int32_t capacity,
                                  int32_t* count) {
  return call(counter, [&](tally_counter& self) {
    tally::copy_out(self.visible_tracks(), out, capacity, count);
  });
}

tally_status tally_counter_take_events(tally_counter* counter, tally_event* out, int32_t capacity,
                                       int32_t* count) {
  return call(counter,
              [&](tally_counter& self) { tally::take_out(self.events(), out, capacity, count); });
}

tally_status tally_counter_unique(tally_counter* counter, int64_t* out, int32_t capacity) {
  return call(counter,
              [&](tally_counter& self) { tally::copy_totals(self.unique(), out, capacity); });
}

tally_status tally_counter_returned(tally_counter* counter, int64_t* out, int32_t capacity) {
  return call(counter, [&](tally_counter& self) {
    tally::copy_totals(self.possible_returns().numbers(), out, capacity);
  });
}

tally_status tally_counter_detected(tally_counter* counter, int64_t* out, int32_t capacity) {
  return call(counter,
              [&](tally_counter& self) { tally::copy_totals(self.detected(), out, capacity); });
}

tally_status tally_counter_region_total(tally_counter* counter, const char* kind, int32_t index,
                                        int32_t total, int64_t* out, int32_t capacity) {
  return call(counter, [&](tally_counter& self) {
    tally::copy_totals(self.region_total(kind_of(kind), index, total), out, capacity);
  });
}

tally_status tally_counter_region_value(tally_counter* counter, const char* kind, int32_t index,
                                        int32_t value, double* out) {
  return call(counter, [&](tally_counter& self) {
    require(out != nullptr, "out is NULL");
    *out = self.region_value(kind_of(kind), index, value);
  });
}

tally_status tally_counter_region_visits(tally_counter* counter, const char* kind, int32_t index,
                                         tally_visit* out, int32_t capacity, int32_t* count) {
  return call(counter, [&](tally_counter& self) {
    tally::copy_out(self.region_visits(kind_of(kind), index), out, capacity, count);
  });
}

tally_status tally_counter_diagnostics(tally_counter* counter, tally_diagnostics* out) {
  return call(counter, [&](tally_counter& self) {
    require(out != nullptr, "out is NULL");
    tally::fill(*out, self.diagnostics());
  });
}

tally_status tally_counter_findings(tally_counter* counter, tally_finding* out, int32_t capacity,
                                    int32_t* count) {
  return call(counter,
              [&](tally_counter& self) { tally::copy_out(self.findings(), out, capacity, count); });
}

tally_status tally_counter_conclude(tally_counter* counter) {
  return call(counter, [](tally_counter& self) { self.conclude(); });
}

tally_status tally_counter_reset(tally_counter* counter) {
  return call(counter, [](tally_counter& self) { self.reset(); });
}

tally_status tally_counter_save(tally_counter* counter, uint8_t* out, size_t capacity,
                                size_t* size) {
  return call(counter, [&](tally_counter& self) {
    require(size != nullptr && (out != nullptr || capacity == 0), "result pointers are NULL");
    const tally::Bytes state = self.save();
    *size = state.size();
    if (state.size() > capacity)
      throw tally::StatusError(TALLY_BUFFER_TOO_SMALL, "the state does not fit the array");
    std::copy(state.begin(), state.end(), out);
  });
}

tally_status tally_counter_restore(tally_counter* counter, const uint8_t* state, size_t size) {
  return call(counter, [&](tally_counter& self) {
    require(state != nullptr, "state is NULL");
    self.restore(state, size);
  });
}

tally_status tally_counter_seen(tally_counter* counter, tally_seen* out, int32_t capacity,
                                int32_t* count) {
  return call(counter, [&](tally_counter& self) {
    tally::copy_out(self.possible_returns().seen(), out, capacity, count);
  });
}

tally_status tally_counter_returns(tally_counter* counter, tally_return* out, int32_t capacity,
                                   int32_t* count) {
  return call(counter, [&](tally_counter& self) {
    tally::copy_out(self.possible_returns().returns(), out, capacity, count);
  });
}

tally_status tally_counter_restore_returns(tally_counter* counter, const int64_t* returned,
                                           int32_t num_classes, const tally_seen* seen,
                                           int32_t num_seen, const tally_return* returns,
                                           int32_t num_returns) {
  return call(counter, [&](tally_counter& self) {
    self.possible_returns().restore(tally::items(returned, num_classes),
                                    tally::items(seen, num_seen),
                                    tally::items(returns, num_returns));
  });
}

tally_status tally_counter_withheld(tally_counter* counter, tally_withheld* out, int32_t capacity,
                                    int32_t* count) {
  return call(counter,
              [&](tally_counter& self) { tally::copy_out(self.withheld(), out, capacity, count); });
}

tally_status tally_counter_restore_withheld(tally_counter* counter, const tally_withheld* withheld,
                                            int32_t count) {
  return call(counter,
              [&](tally_counter& self) { self.restore_withheld(tally::items(withheld, count)); });
}
