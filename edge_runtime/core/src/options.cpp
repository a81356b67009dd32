#include "exact_floats.h"

#include "options.h"

#include <cstdio>
#include <limits>

namespace tally {
namespace {

/// A field of an options struct: its name, default, and the bounds that it must be in.
template <typename Options, typename Value>
struct Field {
  const char* name;
  Value Options::* member;
  Value fallback;
  Value low;
  Value high;
};

constexpr int32_t kMaxInt = std::numeric_limits<int32_t>::max();
constexpr float kMaxFloat = std::numeric_limits<float>::max();
constexpr float kDay = 86'400.0f;  // seconds

using Decoder = tally_decoder_options;
constexpr Field<Decoder, int32_t> kDecoderCounts[] = {
    {"num_classes", &Decoder::num_classes, 80, 1, 10'000},
    {"multi_label", &Decoder::multi_label, 0, 0, 1},
    {"max_candidates", &Decoder::max_candidates, 30'000, 1, kMaxInt},
    {"max_detections", &Decoder::max_detections, 300, 1, kMaxInt},
};
constexpr Field<Decoder, float> kDecoderThresholds[] = {
    {"confidence", &Decoder::confidence, 0.1f, 0, 1},
    {"iou", &Decoder::iou, 0.45f, 0, kMaxFloat},
    // Drops the second name that a detector gives one object, keeps the rider on the bicycle.
    {"cross_class_iou", &Decoder::cross_class_iou, 0.7f, 0, kMaxFloat},
};

using Counter = tally_counter_options;
constexpr Field<Counter, int32_t> kCounterCounts[] = {
    {"num_classes", &Counter::num_classes, 80, 1, 10'000},
    {"frame_width", &Counter::frame_width, 1, 1, kMaxInt},
    {"frame_height", &Counter::frame_height, 1, 1, kMaxInt},
    {"any_class", &Counter::any_class, 0, 0, 1},
    {"anchor", &Counter::anchor, TALLY_BOTTOM_CENTER, TALLY_BOTTOM_CENTER, TALLY_TOP_CENTER},
};
constexpr Field<Counter, float> kCounterThresholds[] = {
    {"low_confidence", &Counter::low_confidence, 0.1f, 0, 1},
    {"high_confidence", &Counter::high_confidence, 0.3f, 0, 1},
    {"new_confidence", &Counter::new_confidence, 0.4f, 0, 1},
    {"confirm_s", &Counter::confirm_s, 0.25f, 0, kDay},
    {"confirm_confidence", &Counter::confirm_confidence, 0.35f, 0, 1},
    {"lost_s", &Counter::lost_s, 3.0f, 0, kDay},
    {"edge_lost_s", &Counter::edge_lost_s, 0.5f, 0, kDay},
    {"hysteresis", &Counter::hysteresis, 0.1f, 0, 10},
    {"remember_s", &Counter::remember_s, 30.0f, 0, kDay},
    {"min_size", &Counter::min_size, 0, 0, kMaxFloat},
    {"max_size", &Counter::max_size, kMaxFloat, 0, kMaxFloat},
};

using Region = tally_region_options;
constexpr Field<Region, int32_t> kRegionFlags[] = {{"extend", &Region::extend, 0, 0, 1}};
constexpr Field<Region, float> kRegionThresholds[] = {
    {"min_dwell_s", &Region::min_dwell_s, 0, 0, kDay},
};

template <typename Options, typename Value, size_t Size>
void set_defaults(Options& options, const Field<Options, Value> (&fields)[Size]) {
  for (const auto& field : fields) options.*field.member = field.fallback;
}

template <typename Options, typename Value, size_t Size>
void check_bounds(const Options& options, const Field<Options, Value> (&fields)[Size]) {
  for (const auto& field : fields) {
    const Value value = options.*field.member;
    if (value >= field.low && value <= field.high) continue;  // false for NaN
    const auto number = [](Value v) { return static_cast<double>(v); };
    char message[160];
    if (number(field.high) > kDay)
      std::snprintf(message, sizeof message, "%s is %.7g; use %.7g or more", field.name,
                    number(value), number(field.low));
    else
      std::snprintf(message, sizeof message, "%s is %.7g; use %.7g to %.7g", field.name,
                    number(value), number(field.low), number(field.high));
    throw StatusError(TALLY_INVALID_ARGUMENT, message);
  }
}

template <typename Options, typename... Tables>
Options defaults_of(const Tables&... tables) {
  Options options{};
  options.struct_size = sizeof(Options);
  (set_defaults(options, tables), ...);
  return options;
}

}  // namespace

void check_size(uint32_t struct_size, size_t known, size_t alignment) {
  if (struct_size == 0 || struct_size > known || struct_size % alignment != 0)
    throw StatusError(TALLY_UNSUPPORTED_SIZE, tally_status_text(TALLY_UNSUPPORTED_SIZE));
}

tally_decoder_options decoder_defaults() {
  return defaults_of<Decoder>(kDecoderCounts, kDecoderThresholds);
}

tally_counter_options counter_defaults() {
  return defaults_of<Counter>(kCounterCounts, kCounterThresholds);
}

tally_region_options region_defaults() {
  return defaults_of<Region>(kRegionFlags, kRegionThresholds);
}

void check(const tally_decoder_options& options) {
  check_bounds(options, kDecoderCounts);
  check_bounds(options, kDecoderThresholds);
}

void check(const tally_counter_options& options) {
  check_bounds(options, kCounterCounts);
  check_bounds(options, kCounterThresholds);
  require(options.min_size <= options.max_size, "min_size is above max_size");
  require(!options.any_class || options.num_classes == 1, "any_class needs num_classes 1");
}

void check(const tally_region_options& options) {
  check_bounds(options, kRegionFlags);
  check_bounds(options, kRegionThresholds);
}

}  // namespace tally
