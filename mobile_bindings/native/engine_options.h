// Options of an engine: defaults, and their bounds.
#ifndef TALLY_ENGINE_OPTIONS_H
#define TALLY_ENGINE_OPTIONS_H

#include <cstdint>

#include "tally_engine.h"

namespace tally::engine {

/// Whether a struct of this size is of this version or an earlier one.
template <typename Struct>
bool is_known_size(uint32_t struct_size) {
  return struct_size >= 8 && struct_size <= sizeof(Struct) && struct_size % 4 == 0;
}

/// All options at their defaults.
tally_engine_options default_options();

/// The options given, completed with defaults and checked; throws Failure.
tally_engine_options complete(const tally_engine_options* given);

}  // namespace tally::engine

#endif  // TALLY_ENGINE_OPTIONS_H
