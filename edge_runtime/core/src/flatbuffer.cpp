#include "exact_floats.h"

#include "flatbuffer.h"

#include <algorithm>

namespace tally {
namespace {

// No table of a model has more; a damaged file may claim 32 thousand per table.
constexpr int kMaxFields = 32;

}  // namespace

Node::Node(const FileBytes& file, size_t position) : file_(&file), position_(position) {
  const int64_t layout =
      static_cast<int64_t>(position) - static_cast<int64_t>(file.number<int32_t>(position));
  if (layout < 0) throw Broken("a table whose layout is outside the file");
  layout_ = static_cast<size_t>(layout) + 4;
  const int layout_bytes = file.number<uint16_t>(static_cast<size_t>(layout));
  fields_ = std::clamp(layout_bytes / 2 - 2, 0, kMaxFields);
  file.at(layout_, 2 * static_cast<size_t>(fields_));
}

size_t Node::offset(int field) const {
  if (field >= fields_) return 0;
  const auto inside = file_->number<uint16_t>(layout_ + 2 * static_cast<size_t>(field));
  return inside == 0 ? 0 : position_ + inside;
}

Node Node::node(int field) const {
  const size_t at = offset(field);
  return {*file_, at + file_->number<uint32_t>(at)};
}

std::vector<Node> Node::nodes(int field) const {
  const Span found = span(field, 4, kMaxItems);
  file_->read(found.count);
  std::vector<Node> nodes;
  nodes.reserve(found.count);
  for (size_t i = 0; i < found.count; ++i) {
    const size_t at = found.start + 4 * i;
    nodes.emplace_back(*file_, at + file_->number<uint32_t>(at));
  }
  return nodes;
}

std::string Node::text(int field, size_t most) const {
  const Span found = bytes(field, most);
  file_->read(found.count);
  const uint8_t* from = file_->at(found.start, found.count);
  return {from, from + found.count};
}

Span Node::span(int field, size_t item_bytes, size_t most) const {
  const size_t at = offset(field);
  if (at == 0) return {};
  const size_t length = at + file_->number<uint32_t>(at);
  const size_t count = file_->number<uint32_t>(length);
  if (count > most) throw Broken("a list longer than the file can need");
  file_->at(length + 4, count * item_bytes);
  return {length + 4, count};
}

}  // namespace tally
