// Counts over time in a bounded number of bins, whose width doubles when there are too many.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tally.h"

namespace tally {

tally_bins_options bins_defaults();

/// Numbers by key, one set for each `seconds` of time that had any.
class TimeBins {
 public:
  explicit TimeBins(const tally_bins_options& options);

  /// The number of a key is how often it is among `keys`.
  void add(double time_s, const int32_t* keys, int32_t count);
  /// Make old bins wider.
  void compact();
  /// In order of time and key.
  const std::vector<tally_bin>& numbers() const { return numbers_; }
  /// Width of new bins.
  int64_t seconds() const { return seconds_; }
  /// Resume from what the two above gave; unchanged if it is refused.
  void restore(int64_t seconds, std::vector<tally_bin> numbers);

  std::string error;

 private:
  void put(const tally_bin& one);
  bool has_bin(size_t place, int64_t start_s) const;
  void merge(bool by_age);
  void limit();

  int32_t join_;
  size_t maximum_;
  int64_t seconds_ = 1;
  std::vector<tally_bin> numbers_;
  size_t bins_ = 0;          // different starts among them
  int64_t merged_to_s_ = 0;  // the last bin when old ones were made wider
};

}  // namespace tally
