// Pointer checks and output of results, shared by the files of the C interface.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "handle.h"
#include "options.h"
#include "tally.h"

namespace tally {

template <typename Handle>
const char* error_of(const Handle* handle) noexcept {
  return handle == nullptr ? "the handle is NULL" : handle->error.c_str();
}

/// Run `body` on a handle; a failure leaves its text there.
template <typename Handle, typename Body>
tally_status call(Handle* handle, const Body& body) noexcept {
  if (handle == nullptr) return TALLY_INVALID_ARGUMENT;
  return guarded(handle->error, [&] { body(*handle); });
}

/// Write the reason for a failure where the caller wants it, cut to `capacity` bytes.
void tell(const std::string& reason, char* error, size_t capacity) noexcept;

/// Make a handle and store it where `out` points; the reason for a failure goes to `error`.
template <typename Handle, typename Make>
tally_status create(Handle** out, char* error, size_t capacity, const Make& make) noexcept {
  std::string reason;
  const tally_status status = guarded(reason, [&] {
    require(out != nullptr, "out is NULL");
    *out = nullptr;
    *out = make().release();
  });
  tell(reason, error, capacity);
  return status;
}

/// Copy `number` items of `item_bytes` each to the caller's array.
void copy_items(const void* items, size_t number, size_t item_bytes, void* out, int32_t capacity,
                int32_t* count);

template <typename Item>
void copy_out(const std::vector<Item>& items, Item* out, int32_t capacity, int32_t* count) {
  copy_items(items.data(), items.size(), sizeof(Item), out, capacity, count);
}

/// The caller's array.
template <typename Item>
std::vector<Item> items(const Item* first, int32_t count) {
  require(count >= 0 && (first != nullptr || count == 0), "an array is NULL");
  return first == nullptr ? std::vector<Item>() : std::vector<Item>(first, first + count);
}

/// Move the first `capacity` of `waiting` to the caller; the rest stays.
template <typename Item>
void take_out(std::vector<Item>& waiting, Item* out, int32_t capacity, int32_t* count) {
  require(count != nullptr && capacity >= 0 && (out != nullptr || capacity == 0),
          "result pointers are NULL");
  const size_t taken = std::min(waiting.size(), static_cast<size_t>(capacity));
  std::copy_n(waiting.begin(), taken, out);
  waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(taken));
  *count = static_cast<int32_t>(taken);
}

template <typename Options>
tally_status fill_defaults(Options* options, const Options& defaults) noexcept {
  std::string unused;
  return guarded(unused, [&] {
    require(options != nullptr, "options are NULL");
    fill(*options, defaults);
  });
}

/// Make a handle of options that can grow.
template <typename Options, typename Handle>
tally_status create_with(const Options* options, const Options& defaults, Handle** out, char* error,
                         size_t capacity) noexcept {
  return create(out, error, capacity, [&] {
    require(options != nullptr, "options are NULL");
    return std::make_unique<Handle>(complete(*options, defaults));
  });
}

inline void copy_totals(const std::vector<int64_t>& totals, int64_t* out, int32_t capacity) {
  int32_t count;
  copy_out(totals, out, capacity, &count);
}

}  // namespace tally
