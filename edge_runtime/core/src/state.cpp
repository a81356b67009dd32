#include "exact_floats.h"

#include "state.h"

#include <algorithm>

namespace tally {
namespace {

constexpr uint32_t kMagic = 0x53594c54;  // "TLYS"
constexpr size_t kHead = 24;
constexpr size_t kMaxBytes = size_t{1} << 30;

/// FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv): against damage, not against forgery.
uint64_t checksum(const uint8_t* data, size_t size) {
  uint64_t hash = 0xcbf29ce484222325;
  for (size_t i = 0; i < size; ++i) hash = (hash ^ data[i]) * 0x100000001b3;
  return hash;
}

}  // namespace

void check_class_totals(const std::vector<int64_t>& totals, size_t num_classes) {
  require_state(totals.size() == num_classes && std::all_of(totals.begin(), totals.end(), is_count),
                "a total is out of range");
}

Bytes seal(const Bytes& payload) {
  uint32_t magic = kMagic, version = kStateVersion;
  uint64_t size = payload.size(), sum = checksum(payload.data(), payload.size());
  Writer head;
  head(magic, version, size, sum);
  Bytes state = head.take();
  state.insert(state.end(), payload.begin(), payload.end());
  return state;
}

Reader unseal(const uint8_t* state, size_t size) {
  require_state(size >= kHead && size <= kMaxBytes, "it is not a saved counter");
  uint32_t magic = 0, version = 0;
  uint64_t bytes = 0, sum = 0;
  Reader head(state, kHead);
  head(magic, version, bytes, sum);
  require_state(magic == kMagic, "it is not a saved counter");
  require_state(version >= 1 && version <= kStateVersion, "it was saved by another version");
  require_state(bytes == size - kHead, "it is cut short");
  require_state(sum == checksum(state + kHead, size - kHead), "its checksum is wrong");
  return {state + kHead, size - kHead, version};
}

}  // namespace tally
