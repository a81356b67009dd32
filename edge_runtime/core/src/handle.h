// What every handle shares: the owned error text and the guard between C++ and C.
#pragma once

#include <exception>
#include <new>
#include <stdexcept>
#include <string>

#include "tally.h"

namespace tally {

/// A caller's mistake, carrying the status that tells it.
class Rejected : public std::runtime_error {
 public:
  Rejected(tally_status status, const std::string& message)
      : std::runtime_error(message), status_(status) {}
  tally_status status() const { return status_; }

 private:
  tally_status status_;
};

inline void require(bool holds, const char* message) {
  if (!holds) throw Rejected(TALLY_INVALID_ARGUMENT, message);
}

inline tally_status keep(std::string& error, tally_status status, const char* message) noexcept {
  try {
    error = message;
  } catch (...) {
    error.clear();
  }
  return status;
}

/// Run `body`; no exception leaves, its text stays in `error`.
template <typename Body>
tally_status guarded(std::string& error, Body&& body) noexcept {
  try {
    body();
    return TALLY_OK;
  } catch (const Rejected& rejected) {
    return keep(error, rejected.status(), rejected.what());
  } catch (const std::bad_alloc&) {
    return keep(error, TALLY_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& fault) {
    return keep(error, TALLY_INTERNAL, fault.what());
  } catch (...) {
    return keep(error, TALLY_INTERNAL, "unknown fault");
  }
}

/// Make a handle behind the pointer that the caller gave.
template <typename Handle, typename... Arguments>
tally_status create(Handle** out, Arguments&&... arguments) noexcept {
  if (out == nullptr) return TALLY_INVALID_ARGUMENT;
  *out = nullptr;
  std::string error;  // without a handle there is nowhere to keep it
  return guarded(error, [&] { *out = new Handle(arguments...); });
}

}  // namespace tally

// Hot loops are compiled twice on x86-64 and the better one is chosen when the library loads.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define TALLY_HOT __attribute__((target_clones("avx2", "default")))
#else
#define TALLY_HOT
#endif
