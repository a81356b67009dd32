// Capture times in nanoseconds.
#pragma once

#include <cstdint>
#include <limits>

namespace tally {

inline constexpr int64_t kNever = std::numeric_limits<int64_t>::min();
// A century and more to either side; differences of such times cannot overflow.
inline constexpr int64_t kFarthestNs = int64_t{1} << 62;

inline bool is_time(int64_t nanoseconds) {
  return nanoseconds > -kFarthestNs && nanoseconds < kFarthestNs;
}
inline float seconds(int64_t nanoseconds) { return static_cast<float>(nanoseconds) * 1e-9f; }

}  // namespace tally
