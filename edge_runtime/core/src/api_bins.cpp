// The C interface of counts over time. No logic lives here.
#include "exact_floats.h"

#include "api.h"
#include "time_bins.h"

using tally::call;

struct tally_bins : tally::TimeBins {
  using TimeBins::TimeBins;
};

tally_status tally_bins_defaults(tally_bins_options* options) {
  return tally::fill_defaults(options, tally::bins_defaults());
}

tally_status tally_bins_create(const tally_bins_options* options, tally_bins** out, char* error,
                               size_t capacity) {
  return tally::create_with(options, tally::bins_defaults(), out, error, capacity);
}
void tally_bins_destroy(tally_bins* bins) { delete bins; }
const char* tally_bins_error(const tally_bins* bins) { return tally::error_of(bins); }

tally_status tally_bins_add(tally_bins* bins, double time_s, const int32_t* keys, int32_t count) {
  return call(bins, [&](tally_bins& self) { self.add(time_s, keys, count); });
}

tally_status tally_bins_compact(tally_bins* bins) {
  return call(bins, [](tally_bins& self) { self.compact(); });
}

tally_status tally_bins_numbers(tally_bins* bins, tally_bin* out, int32_t capacity, int32_t* count,
                                int64_t* seconds) {
  return call(bins, [&](tally_bins& self) {
    if (seconds != nullptr) *seconds = self.seconds();
    tally::copy_out(self.numbers(), out, capacity, count);
  });
}

tally_status tally_bins_restore(tally_bins* bins, int64_t seconds, const tally_bin* numbers,
                                int32_t count) {
  return call(bins, [&](tally_bins& self) { self.restore(seconds, tally::items(numbers, count)); });
}
