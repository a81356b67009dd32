// One head as the decoder reads it: checked, with its strides and the types of its values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tally.h"

namespace tally {

constexpr int kBoxChannels = 5;  // x, y, w, h, objectness
constexpr int kBoxSides = 4;     // left, top, right, bottom, each `reg_max` channels

/// IEEE 754 binary16, by its bits.
struct Half {
  uint16_t bits;
};

/// The same number as a float, exactly; NaN and infinity stay.
inline float to_float(Half half) {
  const uint32_t sign = static_cast<uint32_t>(half.bits & 0x8000u) << 16;
  const uint32_t rest = half.bits & 0x7fffu;
  uint32_t bits;
  if (rest < 0x0400u) {  // zero, or below the normal numbers: a multiple of 2^-24
    const float value = static_cast<float>(rest) * 0x1p-24f;
    std::memcpy(&bits, &value, sizeof bits);
  } else {
    bits = (rest << 13) + (rest >= 0x7c00u ? 0x70000000u : 0x38000000u);
  }
  bits |= sign;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline float to_float(float value) { return value; }

inline bool operator>(Half a, Half b) { return to_float(a) > to_float(b); }

/// Elements from one value to the next in each direction, padding included.
struct Strides {
  size_t row;
  size_t column;
  size_t channel;
};

/// The strides of a head of `channels` channels; those that are 0 follow from its layout.
Strides strides_of(const tally_head& head, size_t channels);

/// The channel of the first class of decoded boxes.
inline size_t class_channel(const tally_head& head) {
  return head.decoded == TALLY_SCORED_BOXES ? kBoxChannels : kBoxSides;
}

/// The channels that `head` has by its own fields.
size_t head_channels(const tally_head& head, int num_classes);

/// Raise StatusError unless `head` is what its fields say and its buffer holds all of it.
void check_head(const tally_head& head, int num_classes);

}  // namespace tally
