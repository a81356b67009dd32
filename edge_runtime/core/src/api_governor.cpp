// The C interface of the governor and the sampler. No logic lives here.
#include "exact_floats.h"

#include "api.h"
#include "governor.h"
#include "options.h"
#include "sampler.h"

using tally::call;
using tally::require;

struct tally_governor : tally::Governor {
  using Governor::Governor;
};
struct tally_sampler : tally::Sampler {
  using Sampler::Sampler;
};

tally_status tally_governor_defaults(tally_governor_options* options) {
  return tally::fill_defaults(options, tally::governor_defaults());
}

tally_status tally_governor_create(const tally_governor_options* options, tally_governor** out,
                                   char* error, size_t capacity) {
  return tally::create_with(options, tally::governor_defaults(), out, error, capacity);
}
void tally_governor_destroy(tally_governor* governor) { delete governor; }
const char* tally_governor_error(const tally_governor* governor) {
  return tally::error_of(governor);
}

tally_status tally_governor_ladder(tally_governor* governor, tally_level* out, int32_t capacity,
                                   int32_t* count) {
  return call(governor,
              [&](tally_governor& self) { tally::copy_out(self.ladder(), out, capacity, count); });
}

tally_status tally_governor_wants(tally_governor* governor, int64_t timestamp_ns, int32_t* wanted,
                                  int32_t* reason) {
  return call(governor, [&](tally_governor& self) {
    require(wanted != nullptr, "wanted is NULL");
    const int32_t why = self.wants(timestamp_ns);
    *wanted = why == TALLY_REASON_NONE ? 1 : 0;
    if (reason != nullptr) *reason = why;
  });
}

tally_status tally_governor_learn(tally_governor* governor, int64_t timestamp_ns,
                                  double latency_ms) {
  return call(governor, [&](tally_governor& self) { self.learn(timestamp_ns, latency_ms); });
}

tally_status tally_governor_set_thermal(tally_governor* governor, int32_t thermal) {
  return call(governor, [&](tally_governor& self) { self.set_thermal(thermal); });
}

tally_status tally_governor_set_headroom(tally_governor* governor, double headroom) {
  return call(governor, [&](tally_governor& self) { self.set_headroom(headroom); });
}

tally_status tally_governor_get_state(tally_governor* governor, tally_governor_state* out) {
  return call(governor, [&](tally_governor& self) {
    require(out != nullptr, "out is NULL");
    tally::fill(*out, self.state());
  });
}

tally_status tally_governor_take_changes(tally_governor* governor, tally_level_change* out,
                                         int32_t capacity, int32_t* count) {
  return call(governor,
              [&](tally_governor& self) { tally::take_out(self.changes(), out, capacity, count); });
}

tally_status tally_sampler_defaults(tally_sampler_options* options) {
  return tally::fill_defaults(options, tally::sampler_defaults());
}

tally_status tally_sampler_create(const tally_sampler_options* options, tally_sampler** out,
                                  char* error, size_t capacity) {
  return tally::create_with(options, tally::sampler_defaults(), out, error, capacity);
}
void tally_sampler_destroy(tally_sampler* sampler) { delete sampler; }
const char* tally_sampler_error(const tally_sampler* sampler) { return tally::error_of(sampler); }

tally_status tally_sampler_wants(tally_sampler* sampler, int64_t timestamp_ns, int32_t* wanted) {
  return call(sampler, [&](tally_sampler& self) {
    require(wanted != nullptr, "wanted is NULL");
    *wanted = self.wants(timestamp_ns) ? 1 : 0;
  });
}

tally_status tally_sampler_learn(tally_sampler* sampler, int64_t timestamp_ns,
                                 const tally_track* tracks, int32_t num_tracks,
                                 const tally_detection* detections, int32_t num_detections) {
  return call(sampler, [&](tally_sampler& self) {
    self.learn(timestamp_ns, tracks, num_tracks, detections, num_detections);
  });
}

tally_status tally_sampler_get_state(tally_sampler* sampler, tally_sampler_state* out) {
  return call(sampler, [&](tally_sampler& self) {
    require(out != nullptr, "out is NULL");
    tally::fill(*out, self.state());
  });
}
