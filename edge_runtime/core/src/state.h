// A counter's state as bytes: little-endian, the same on every machine, checked when read.
//
//   "TLYS" | version u32 | payload bytes u64 | FNV-1a of the payload u64 | payload
//
// Each class lists its members once, in persist(archive); a Writer and a Reader both walk the list.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include "geometry.h"
#include "handle.h"
#include "tally.h"

namespace tally {

using Bytes = std::vector<uint8_t>;

/// Version 1 knows nothing of standing objects, traffic and the evidence for crossings, version 2
/// nothing of when the period began; they are read, and what they lack starts empty.
inline constexpr uint32_t kStateVersion = 3;

/// Refuse a state; the counter that reads it is unchanged.
inline void require_state(bool holds, const char* message) {
  if (!holds) throw StatusError(TALLY_BAD_STATE, message);
}

namespace detail {

/// The unsigned integer that holds a value's bits.
template <size_t Size>
using Bits =
    std::conditional_t<Size == 8, uint64_t, std::conditional_t<Size == 4, uint32_t, uint8_t>>;

}  // namespace detail

class Writer {
 public:
  static constexpr uint32_t version() { return kStateVersion; }
  template <typename... Values>
  void operator()(Values&... values) {
    (put(values), ...);
  }
  Bytes take() { return std::move(bytes_); }

 private:
  template <typename Value>
  void put(Value& value) {
    if constexpr (std::is_arithmetic_v<Value>) {
      detail::Bits<sizeof(Value)> bits;
      std::memcpy(&bits, &value, sizeof bits);
      for (size_t i = 0; i < sizeof bits; ++i)
        bytes_.push_back(static_cast<uint8_t>(uint64_t{bits} >> (8 * i)));
    } else {
      persist(*this, value);
    }
  }
  template <typename Sequence>
  void put_all(Sequence& items) {
    uint64_t count = items.size();
    put(count);
    for (auto& item : items) put(item);
  }
  template <typename Item>
  void put(std::vector<Item>& items) {
    put_all(items);
  }

  Bytes bytes_;
};

/// Reads what a Writer wrote. Numbers must be finite; a sequence grows only by what is really
/// there, so that a false length costs nothing.
class Reader {
 public:
  Reader(const uint8_t* data, size_t size, uint32_t version = kStateVersion)
      : next_(data),
        end_(data + size),
        version_(version) {}

  uint32_t version() const { return version_; }

  template <typename... Values>
  void operator()(Values&... values) {
    (get(values), ...);
  }
  bool at_end() const { return next_ == end_; }

 private:
  template <typename Value>
  void get(Value& value) {
    if constexpr (std::is_arithmetic_v<Value>) {
      detail::Bits<sizeof(Value)> bits = 0;
      require_state(static_cast<size_t>(end_ - next_) >= sizeof bits, "it is cut short");
      for (size_t i = 0; i < sizeof bits; ++i)
        bits |= static_cast<decltype(bits)>(uint64_t{*next_++} << (8 * i));
      if constexpr (std::is_same_v<Value, bool>) {
        require_state(bits <= 1, "a flag is neither 0 nor 1");
        value = bits != 0;
      } else {
        std::memcpy(&value, &bits, sizeof bits);
      }
      if constexpr (std::is_floating_point_v<Value>)
        require_state(std::isfinite(value), "a number is not finite");
    } else {
      persist(*this, value);
    }
  }
  template <typename Sequence>
  void get_all(Sequence& items) {
    uint64_t count = 0;
    get(count);
    require_state(count <= static_cast<uint64_t>(end_ - next_), "it is cut short");
    items.clear();
    for (uint64_t i = 0; i < count; ++i) {
      items.emplace_back();
      get(items.back());
    }
  }
  template <typename Item>
  void get(std::vector<Item>& items) {
    get_all(items);
  }

  const uint8_t* next_;
  const uint8_t* end_;
  uint32_t version_;
};

/// A Writer or a Reader, for classes with virtual functions, which cannot be templates.
class Archive {
 public:
  explicit Archive(Writer& writer) : writer_(&writer) {}
  explicit Archive(Reader& reader) : reader_(&reader) {}

  template <typename... Values>
  void operator()(Values&... values) {
    if (reader_ != nullptr)
      (*reader_)(values...);
    else
      (*writer_)(values...);
  }
  bool reads() const { return reader_ != nullptr; }
  uint32_t version() const { return reads() ? reader_->version() : Writer::version(); }

 private:
  Writer* writer_ = nullptr;
  Reader* reader_ = nullptr;
};

/// A class of the core lists its own members.
template <typename Archive, typename Value>
auto persist(Archive& archive, Value& value) -> decltype(value.persist(archive)) {
  value.persist(archive);
}
template <typename Archive, typename First, typename Second>
void persist(Archive& archive, std::pair<First, Second>& pair) {
  archive(pair.first, pair.second);
}
template <typename Archive>
void persist(Archive& archive, tally_event& e) {
  archive(e.timestamp_ns, e.track_id, e.kind, e.class_id, e.previous_class_id, e.region, e.x, e.y,
          e.confidence, e.age_s, e.dwell_s);
}

inline constexpr int64_t kMaxCount = int64_t{1} << 53;  // any sum of such numbers fits 64 bits

inline bool is_count(int64_t value) { return value >= 0 && value <= kMaxCount; }
/// Refuse totals that are not one count per class.
void check_class_totals(const std::vector<int64_t>& totals, size_t num_classes);

/// Head and checksum around a payload.
Bytes seal(const Bytes& payload);
/// The payload inside `state`, once head, length and checksum are right.
Reader unseal(const uint8_t* state, size_t size);

}  // namespace tally
