// The buffer that receives what a frame gave, and how long each step took.
#ifndef TALLYLENS_FRAME_RESULT_H
#define TALLYLENS_FRAME_RESULT_H

#include <chrono>

#include "memory.h"

static_assert(sizeof(tally_detection) == 24 && sizeof(tally_track) == 32);
static_assert(sizeof(tally_event) == 56);

namespace tally::jni {

/// What a frame gave, at the start of the buffer that Kotlin reads; arrays follow at offsets.
struct FrameResult {
  int32_t num_detections;
  int32_t num_tracks;
  int32_t num_events;
  int32_t detections_capacity;  // the three capacities are given by Kotlin
  int32_t tracks_capacity;
  int32_t events_capacity;
  int64_t letterbox_ns;
  int64_t inference_ns;
  int64_t decode_ns;
  int64_t count_ns;
};
static_assert(sizeof(FrameResult) == 56);

/// The buffer of a frame's result, with its three arrays.
struct FrameBuffer {
  explicit FrameBuffer(const Span& out) {
    result = out.as<FrameResult>(0);
    if (result == nullptr) return;
    const auto count = [](int32_t capacity) { return static_cast<size_t>(capacity); };
    if (result->detections_capacity < 0 || result->tracks_capacity < 0 ||
        result->events_capacity < 0) {
      result = nullptr;
      return;
    }
    size_t offset = sizeof(FrameResult);
    detections = out.as<tally_detection>(offset, count(result->detections_capacity));
    offset += count(result->detections_capacity) * sizeof(tally_detection);
    tracks = out.as<tally_track>(offset, count(result->tracks_capacity));
    offset += count(result->tracks_capacity) * sizeof(tally_track);
    events = out.as<tally_event>(offset, count(result->events_capacity));
    if (detections == nullptr || tracks == nullptr || events == nullptr) result = nullptr;
  }
  FrameResult* result = nullptr;
  tally_detection* detections = nullptr;
  tally_track* tracks = nullptr;
  tally_event* events = nullptr;
};

/// Nanoseconds between two calls.
class Stopwatch {
 public:
  int64_t lap() {
    const auto now = std::chrono::steady_clock::now();
    const auto passed = std::chrono::duration_cast<std::chrono::nanoseconds>(now - last_);
    last_ = now;
    return passed.count();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

/// Tracks and events of the last frame, and those that did not fit before.
inline int32_t take(tally_counter* counter, FrameBuffer* out) {
  FrameResult* result = out->result;
  const int32_t status =
      tally_counter_tracks(counter, out->tracks, result->tracks_capacity, &result->num_tracks);
  if (status != TALLY_OK) return status;
  return tally_counter_take_events(counter, out->events, result->events_capacity,
                                   &result->num_events);
}

}  // namespace tally::jni

#endif  // TALLYLENS_FRAME_RESULT_H
