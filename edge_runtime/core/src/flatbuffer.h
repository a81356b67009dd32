// Bounded reading of a flatbuffer from an untrusted file, field by field. Every read stays inside
// the file or throws Broken. The format is described at https://flatbuffers.dev/internals.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace tally {

/// A read outside of the file, or a list that no model needs.
class Broken : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The bytes of a file, read as little-endian numbers.
class FileBytes {
 public:
  FileBytes(const uint8_t* data, size_t size)
      : data_(data),
        size_(size),
        items_left_(kReadings * size + kSmall) {}
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;

  size_t size() const { return size_; }
  const uint8_t* at(size_t offset, size_t length) const {
    if (offset > size_ || length > size_ - offset) throw Broken("a read outside the file");
    return data_ + offset;
  }
  /// Note that `count` items are read.
  void read(size_t count) const {
    if (count > items_left_) throw Broken("lists that overlap");
    items_left_ -= count;
  }
  template <typename Value>
  Value number(size_t offset) const {
    const uint8_t* from = at(offset, sizeof(Value));
    uint64_t bits = 0;
    for (size_t i = 0; i < sizeof(Value); ++i) bits |= static_cast<uint64_t>(from[i]) << (8 * i);
    if constexpr (sizeof(Value) == 4) {
      const auto word = static_cast<uint32_t>(bits);
      Value value;
      std::memcpy(&value, &word, sizeof value);
      return value;
    } else {
      return static_cast<Value>(bits);
    }
  }

 private:
  static constexpr size_t kReadings = 16, kSmall = 1 << 16;

  const uint8_t* data_;
  size_t size_;
  mutable size_t items_left_;
};

/// A vector of the flatbuffer: where its items start in the file, and how many there are.
struct Span {
  size_t start = 0;
  size_t count = 0;
};

/// A table of the flatbuffer; each method reads one field by its number in the schema.
class Node {
 public:
  /// The outermost table.
  static Node root(const FileBytes& file) { return {file, file.number<uint32_t>(0)}; }

  Node(const FileBytes& file, size_t position);

  bool has(int field) const { return offset(field) != 0; }
  /// A scalar; 0 if the file omits it.
  template <typename Value>
  Value number(int field) const {
    const size_t at = offset(field);
    return at == 0 ? Value{} : file_->number<Value>(at);
  }
  /// The table behind a field that the file `has`.
  Node node(int field) const;
  std::vector<Node> nodes(int field) const;
  template <typename Value>
  std::vector<Value> numbers(int field) const {
    const Span found = span(field, sizeof(Value), kMaxItems);
    file_->read(found.count);
    std::vector<Value> values;
    values.reserve(found.count);
    for (size_t i = 0; i < found.count; ++i)
      values.push_back(file_->number<Value>(found.start + i * sizeof(Value)));
    return values;
  }
  /// A vector of bytes, or a string, of at most `most` bytes.
  Span bytes(int field, size_t most) const { return span(field, 1, most); }
  std::string text(int field, size_t most) const;

 private:
  static constexpr size_t kMaxItems = 100'000;

  size_t offset(int field) const;
  Span span(int field, size_t item_bytes, size_t most) const;

  const FileBytes* file_;
  size_t position_;
  size_t layout_;  // position of the first field's offset
  int fields_;
};

}  // namespace tally
