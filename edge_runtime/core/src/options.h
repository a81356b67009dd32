// Defaults and bounds of the options, field by field, and structs of earlier versions.
#pragma once

#include <cstdint>
#include <cstring>

#include "handle.h"
#include "tally.h"

namespace tally {

tally_decoder_options decoder_defaults();
tally_counter_options counter_defaults();
tally_region_options region_defaults();

/// Refuse options outside of their bounds; the message names the field, its value and the bounds.
void check(const tally_decoder_options& options);
void check(const tally_counter_options& options);
void check(const tally_region_options& options);

/// Refuse a struct_size that no version up to this one, of `known` bytes, has.
void check_size(uint32_t struct_size, size_t known, size_t alignment);

template <typename Struct>
void check_size(uint32_t struct_size) {
  check_size(struct_size, sizeof(Struct), alignof(Struct));
}

/// What the caller gave, with `defaults` in the fields that the caller's version does not have.
template <typename Struct>
Struct complete(const Struct& given, const Struct& defaults) {
  check_size<Struct>(given.struct_size);
  Struct whole = defaults;
  std::memcpy(&whole, &given, given.struct_size);
  whole.struct_size = sizeof(Struct);
  return whole;
}

/// Copy `values` into the caller's struct, as far as its version has the fields.
template <typename Struct>
void fill(Struct& out, const Struct& values) {
  const uint32_t struct_size = out.struct_size;
  check_size<Struct>(struct_size);
  std::memcpy(&out, &values, struct_size);
  out.struct_size = struct_size;
}

inline bool is_score(float value) { return value >= 0 && value <= 1; }

}  // namespace tally
