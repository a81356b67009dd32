// The C interface: pointer checks, and from exceptions to statuses. No logic lives here.
#include <algorithm>
#include <cstring>

#include "counter.h"
#include "decode.h"
#include "handle.h"
#include "preprocess.h"
#include "tally.h"

using tally::Counter;
using tally::Decoder;
using tally::guarded;
using tally::Preprocessor;
using tally::require;

// The handles of the header are the classes of the core under a C name.
struct tally_preprocessor : Preprocessor {};
struct tally_decoder : Decoder {
  using Decoder::Decoder;
};
struct tally_counter : Counter {
  using Counter::Counter;
};

namespace {

template <typename Handle>
const char* error_of(const Handle* handle) noexcept {
  return handle == nullptr ? "the handle is NULL" : handle->error.c_str();
}

template <typename Item>
void copy_out(const std::vector<Item>& items, Item* out, int32_t capacity, int32_t* count) {
  require(count != nullptr && capacity >= 0 && (out != nullptr || capacity == 0),
          "result pointers are NULL");
  *count = static_cast<int32_t>(items.size());
  if (items.size() > static_cast<size_t>(capacity))
    throw tally::Rejected(TALLY_BUFFER_TOO_SMALL, "the result does not fit the array");
  std::copy(items.begin(), items.end(), out);
}

void copy_totals(const std::vector<int64_t>& totals, int64_t* out, int32_t capacity) {
  int32_t count;
  copy_out(totals, out, capacity, &count);
}

}  // namespace

const char* tally_version(void) { return "0.1.0"; }

tally_status tally_preprocessor_create(tally_preprocessor** out) { return tally::create(out); }
void tally_preprocessor_destroy(tally_preprocessor* preprocessor) { delete preprocessor; }
const char* tally_preprocessor_error(const tally_preprocessor* preprocessor) {
  return error_of(preprocessor);
}

tally_status tally_preprocessor_run(tally_preprocessor* preprocessor, const tally_image* image,
                                    const tally_tensor* input, tally_letterbox* letterbox) {
  if (preprocessor == nullptr) return TALLY_INVALID_ARGUMENT;
  return guarded(preprocessor->error, [&] {
    require(image != nullptr && input != nullptr && letterbox != nullptr, "an argument is NULL");
    *letterbox = preprocessor->run(*image, *input);
  });
}

void tally_decoder_defaults(tally_decoder_options* options) {
  if (options != nullptr) *options = {80, 0.1f, 0.45f, 0.7f, 0, 30000, 300};
}

tally_status tally_decoder_create(const tally_decoder_options* options, tally_decoder** out) {
  return options == nullptr ? TALLY_INVALID_ARGUMENT : tally::create(out, *options);
}
void tally_decoder_destroy(tally_decoder* decoder) { delete decoder; }
const char* tally_decoder_error(const tally_decoder* decoder) { return error_of(decoder); }

tally_status tally_decoder_run(tally_decoder* decoder, const tally_head* heads, int32_t num_heads,
                               const tally_letterbox* letterbox, tally_detection* out,
                               int32_t capacity, int32_t* count) {
  if (decoder == nullptr) return TALLY_INVALID_ARGUMENT;
  return guarded(decoder->error, [&] {
    require(letterbox != nullptr, "letterbox is NULL");
    copy_out(decoder->run(heads, num_heads, *letterbox), out, capacity, count);
  });
}

void tally_counter_defaults(tally_counter_options* options) {
  if (options != nullptr)
    *options = {80, 1, 1, 0, TALLY_BOTTOM_CENTRE, 0.1f, 0.3f, 0.4f, 0.25f, 0.35f, 3.0f, 0.5f, 0.1f};
}

tally_status tally_counter_create(const tally_counter_options* options, tally_counter** out) {
  return options == nullptr ? TALLY_INVALID_ARGUMENT : tally::create(out, *options);
}
void tally_counter_destroy(tally_counter* counter) { delete counter; }
const char* tally_counter_error(const tally_counter* counter) { return error_of(counter); }

tally_status tally_counter_add_line(tally_counter* counter, tally_point a, tally_point b,
                                    int32_t extend, int32_t* index) {
  if (counter == nullptr) return TALLY_INVALID_ARGUMENT;
  return guarded(counter->error, [&] {
    require(index != nullptr, "index is NULL");
    *index = counter->add_line({a.x, a.y}, {b.x, b.y}, extend != 0);
  });
}

tally_status tally_counter_add_zone(tally_counter* counter, const tally_point* corners,
                                    int32_t num_corners, int32_t* index) {
  if (counter == nullptr) return TALLY_INVALID_ARGUMENT;
  return guarded(counter->error, [&] {
    require(index != nullptr && corners != nullptr, "corners or index are NULL");
    require(num_corners >= 3 && num_corners <= 1000, "a zone has 3 to 1000 corners");
    std::vector<tally::Point> points;
    for (int32_t i = 0; i < num_corners; ++i) {
      require(std::isfinite(corners[i].x) && std::isfinite(corners[i].y),
              "zone corners must be finite");
      points.push_back({corners[i].x, corners[i].y});
    }
    *index = counter->add_zone(std::move(points));
  });
}

tally_status tally_counter_update(tally_counter* counter, int64_t timestamp_ns,
                                  const tally_detection* detections, int32_t count) {
  if (counter == nullptr) return TALLY_INVALID_ARGUMENT;
  return guarded(counter->error, [&] { counter->update(timestamp_ns, detections, count); });
}

tally_status tally_counter_tracks(tally_counter* counter, tally_track* out, int32_t capacity,
                                  int32_t* count) {
  if (counter == nullptr) return TALLY_INVALID_ARGUMENT;
  return guarded(counter->error,
                 [&] { copy_out(counter->visible_tracks(), out, capacity, count); });
}

tally_status tally_counter_take_events(tally_counter* counter, tally_event* out, int32_t capacity,
                                       int32_t* count) {
  if (counter == nullptr) return TALLY_INVALID_ARGUMENT;
  return guarded(counter->error, [&] {
    require(count != nullptr && capacity >= 0 && (out != nullptr || capacity == 0),
            "result pointers are NULL");
    auto& events = counter->events();
    const size_t taken = std::min(events.size(), static_cast<size_t>(capacity));
    std::copy_n(events.begin(), taken, out);
    events.erase(events.begin(), events.begin() + static_cast<std::ptrdiff_t>(taken));
    *count = static_cast<int32_t>(taken);
  });
}

tally_status tally_counter_unique(tally_counter* counter, int64_t* out, int32_t capacity) {
  if (counter == nullptr) return TALLY_INVALID_ARGUMENT;
  return guarded(counter->error, [&] { copy_totals(counter->unique(), out, capacity); });
}

tally_status tally_counter_line(tally_counter* counter, int32_t line, int64_t* in, int64_t* out,
                                int32_t capacity) {
  if (counter == nullptr) return TALLY_INVALID_ARGUMENT;
  return guarded(counter->error, [&] {
    const tally::LineTotals& totals = counter->line(line);
    copy_totals(totals.in, in, capacity);
    copy_totals(totals.out, out, capacity);
  });
}

tally_status tally_counter_zone(tally_counter* counter, int32_t zone, int64_t* now,
                                int64_t* entered, int64_t* left, int32_t capacity) {
  if (counter == nullptr) return TALLY_INVALID_ARGUMENT;
  return guarded(counter->error, [&] {
    const tally::ZoneTotals& totals = counter->zone(zone);
    copy_totals(totals.entered, entered, capacity);
    copy_totals(totals.left, left, capacity);
    copy_totals(std::vector<int64_t>(totals.left.size()), now, capacity);
    for (const tally_stay& stay : counter->present(zone)) now[stay.class_id] += 1;
  });
}

tally_status tally_counter_set_least_dwell(tally_counter* counter, int32_t zone, float seconds) {
  if (counter == nullptr) return TALLY_INVALID_ARGUMENT;
  return guarded(counter->error, [&] { counter->set_least_dwell(zone, seconds); });
}

tally_status tally_counter_present(tally_counter* counter, int32_t zone, tally_stay* out,
                                   int32_t capacity, int32_t* count) {
  if (counter == nullptr) return TALLY_INVALID_ARGUMENT;
  return guarded(counter->error, [&] { copy_out(counter->present(zone), out, capacity, count); });
}

tally_status tally_counter_detected(tally_counter* counter, int64_t* out, int32_t capacity) {
  if (counter == nullptr) return TALLY_INVALID_ARGUMENT;
  return guarded(counter->error, [&] { copy_totals(counter->detected(), out, capacity); });
}

tally_status tally_counter_reset(tally_counter* counter) {
  if (counter == nullptr) return TALLY_INVALID_ARGUMENT;
  return guarded(counter->error, [&] { counter->reset(); });
}

tally_status tally_counter_save(tally_counter* counter, uint8_t* out, size_t capacity,
                                size_t* size) {
  if (counter == nullptr) return TALLY_INVALID_ARGUMENT;
  return guarded(counter->error, [&] {
    require(size != nullptr && (out != nullptr || capacity == 0), "result pointers are NULL");
    const tally::Bytes state = counter->save();
    *size = state.size();
    if (state.size() > capacity)
      throw tally::Rejected(TALLY_BUFFER_TOO_SMALL, "the state does not fit the array");
    std::copy(state.begin(), state.end(), out);
  });
}

tally_status tally_counter_restore(tally_counter* counter, const uint8_t* state, size_t size) {
  if (counter == nullptr) return TALLY_INVALID_ARGUMENT;
  return guarded(counter->error, [&] {
    require(state != nullptr, "state is NULL");
    counter->restore(state, size);
  });
}

tally_status tally_counter_dwell(tally_counter* counter, int32_t zone, double* mean_s,
                                 double* max_s) {
  if (counter == nullptr) return TALLY_INVALID_ARGUMENT;
  return guarded(counter->error, [&] {
    require(mean_s != nullptr && max_s != nullptr, "result pointers are NULL");
    counter->dwell(zone, mean_s, max_s);
  });
}

tally_status tally_counter_nearest(tally_counter* counter, int32_t line, float* distance) {
  if (counter == nullptr) return TALLY_INVALID_ARGUMENT;
  return guarded(counter->error, [&] {
    require(distance != nullptr, "distance is NULL");
    *distance = counter->nearest(line);
  });
}

tally_status tally_counter_diagnostics(tally_counter* counter, tally_diagnostics* out) {
  if (counter == nullptr) return TALLY_INVALID_ARGUMENT;
  return guarded(counter->error, [&] {
    require(out != nullptr, "out is NULL");
    *out = counter->diagnostics();
  });
}
