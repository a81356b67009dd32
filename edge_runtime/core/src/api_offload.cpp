// The C interface of the decision to offload. No logic lives here.
#include "exact_floats.h"

#include "api.h"
#include "late.h"
#include "link.h"
#include "offload.h"
#include "view_cells.h"
#include "waiting.h"

using tally::call;
using tally::require;

struct tally_offload : tally::Offload {
  using Offload::Offload;
};
struct tally_link : tally::Link {
  using Link::Link;
};
struct tally_waiting : tally::Waiting {
  using Waiting::Waiting;
};
struct tally_late : tally::Late {
  using Late::Late;
};

// ---- the decision ----------------------------------------------------------------------------

tally_status tally_offload_reward(const tally_detection* detections, int32_t count,
                                  double* features, double* reward) {
  std::string unused;
  return tally::guarded(unused, [&] {
    require(count >= 0 && (detections != nullptr || count == 0), "detections are NULL");
    require(reward != nullptr, "reward is NULL");
    double found[tally::kRewardFeatures];
    tally::reward_features(detections, count, found);
    *reward = tally::reward_of(found);
    if (features != nullptr) std::copy(std::begin(found), std::end(found), features);
  });
}

tally_status tally_offload_static_reason(const tally_offload_static_facts* facts, int32_t* reason) {
  std::string unused;
  return tally::guarded(unused, [&] {
    require(facts != nullptr && reason != nullptr, "an argument is NULL");
    const tally_offload_static_facts none{sizeof none, 1, 0, -1, 0.0, 0.0};
    *reason = tally::static_reason(tally::complete(*facts, none));
  });
}

tally_status tally_offload_view(const tally_image* image, uint8_t* cells) {
  std::string unused;
  return tally::guarded(unused, [&] {
    require(image != nullptr && cells != nullptr, "an argument is NULL");
    tally::view_cells(tally::complete(*image, tally_image{}), cells);
  });
}

tally_status tally_offload_defaults(tally_offload_options* options) {
  return tally::fill_defaults(options, tally::offload_defaults());
}

tally_status tally_offload_create(const tally_offload_options* options, tally_offload** out,
                                  char* error, size_t capacity) {
  return tally::create_with(options, tally::offload_defaults(), out, error, capacity);
}
void tally_offload_destroy(tally_offload* offload) { delete offload; }
const char* tally_offload_error(const tally_offload* offload) { return tally::error_of(offload); }

tally_status tally_offload_skip(tally_offload* offload, double difference, tally_decision* out) {
  return call(offload, [&](tally_offload& self) {
    require(out != nullptr, "out is NULL");
    *out = self.skip(difference);
  });
}

tally_status tally_offload_decide(tally_offload* offload, const tally_offload_facts* facts,
                                  tally_decision* out) {
  return call(offload, [&](tally_offload& self) {
    require(facts != nullptr && out != nullptr, "an argument is NULL");
    *out = self.decide(tally::complete(*facts, tally::no_facts()));
  });
}

tally_status tally_offload_computed(tally_offload* offload, double seconds) {
  return call(offload, [&](tally_offload& self) { self.computed(seconds); });
}

tally_status tally_offload_local(tally_offload* offload, tally_average* out) {
  return call(offload, [&](tally_offload& self) {
    require(out != nullptr, "out is NULL");
    *out = self.local().values();
  });
}

// ---- the link --------------------------------------------------------------------------------

tally_status tally_link_defaults(tally_link_options* options) {
  return tally::fill_defaults(options, tally::link_defaults());
}

tally_status tally_link_create(const tally_link_options* options, tally_link** out, char* error,
                               size_t capacity) {
  return tally::create_with(options, tally::link_defaults(), out, error, capacity);
}
void tally_link_destroy(tally_link* link) { delete link; }
const char* tally_link_error(const tally_link* link) { return tally::error_of(link); }

tally_status tally_link_welcomed(tally_link* link, double seconds) {
  return call(link, [&](tally_link& self) { self.welcomed(seconds); });
}

tally_status tally_link_sent(tally_link* link, int64_t sequence, int64_t bytes, double now_s) {
  return call(link, [&](tally_link& self) { self.sent(sequence, bytes, now_s); });
}

tally_status tally_link_answered(tally_link* link, int64_t sequence, double server_s,
                                 double now_s) {
  return call(link, [&](tally_link& self) { self.answered(sequence, server_s, now_s); });
}

tally_status tally_link_lost(tally_link* link) {
  return call(link, [](tally_link& self) { self.lost(); });
}

tally_status tally_link_expected(tally_link* link, int64_t bytes, double now_s, double* seconds) {
  return call(link, [&](tally_link& self) {
    require(seconds != nullptr, "seconds is NULL");
    *seconds = self.expected_s(bytes, now_s);
  });
}

tally_status tally_link_get_state(tally_link* link, double now_s, tally_link_state* out) {
  return call(link, [&](tally_link& self) {
    require(out != nullptr, "out is NULL");
    tally::fill(*out, self.state(now_s));
  });
}

// ---- how long a file may wait ----------------------------------------------------------------

tally_status tally_waiting_defaults(tally_waiting_options* options) {
  return tally::fill_defaults(options, tally::waiting_defaults());
}

tally_status tally_waiting_create(const tally_waiting_options* options, tally_waiting** out,
                                  char* error, size_t capacity) {
  return tally::create_with(options, tally::waiting_defaults(), out, error, capacity);
}
void tally_waiting_destroy(tally_waiting* waiting) { delete waiting; }
const char* tally_waiting_error(const tally_waiting* waiting) { return tally::error_of(waiting); }

tally_status tally_waiting_start(tally_waiting* waiting, double now_s) {
  return call(waiting, [&](tally_waiting& self) { self.start(now_s); });
}

tally_status tally_waiting_wait(tally_waiting* waiting, double now_s, int32_t change) {
  return call(waiting, [&](tally_waiting& self) { self.wait(now_s, change); });
}

tally_status tally_waiting_compute(tally_waiting* waiting, double now_s, int32_t change) {
  return call(waiting, [&](tally_waiting& self) { self.compute(now_s, change); });
}

tally_status tally_waiting_saved(tally_waiting* waiting, double seconds) {
  return call(waiting, [&](tally_waiting& self) { self.saved(seconds); });
}

tally_status tally_waiting_left(tally_waiting* waiting, double now_s, double* seconds) {
  return call(waiting, [&](tally_waiting& self) {
    require(seconds != nullptr, "seconds is NULL");
    *seconds = self.left_s(now_s);
  });
}

// ---- late answers ----------------------------------------------------------------------------

tally_status tally_late_defaults(tally_late_options* options) {
  return tally::fill_defaults(options, tally::late_defaults());
}

tally_status tally_late_create(const tally_late_options* options, tally_late** out, char* error,
                               size_t capacity) {
  return tally::create_with(options, tally::late_defaults(), out, error, capacity);
}
void tally_late_destroy(tally_late* late) { delete late; }
const char* tally_late_error(const tally_late* late) { return tally::error_of(late); }

tally_status tally_late_note(tally_late* late, const tally_detection* detections, int32_t count,
                             double now_s) {
  return call(late, [&](tally_late& self) { self.note(detections, count, now_s); });
}

tally_status tally_late_apply(tally_late* late, tally_detection* detections, int32_t count,
                              double now_s, int32_t* changed) {
  return call(late, [&](tally_late& self) {
    require(changed != nullptr, "changed is NULL");
    *changed = self.apply(detections, count, now_s);
  });
}
