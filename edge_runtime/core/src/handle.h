// Errors with a status, and the guard between C++ exceptions and C statuses.
#pragma once

#include <exception>
#include <new>
#include <stdexcept>
#include <string>

#include "tally.h"

namespace tally {

/// A caller's mistake, with the status that the C interface returns for it.
class StatusError : public std::runtime_error {
 public:
  StatusError(tally_status status, const std::string& message)
      : std::runtime_error(message),
        status_(status) {}
  tally_status status() const { return status_; }

 private:
  tally_status status_;
};

inline void require(bool holds, const char* message) {
  if (!holds) throw StatusError(TALLY_INVALID_ARGUMENT, message);
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
  } catch (const StatusError& refusal) {
    return keep(error, refusal.status(), refusal.what());
  } catch (const std::bad_alloc&) {
    return keep(error, TALLY_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& fault) {
    return keep(error, TALLY_INTERNAL, fault.what());
  } catch (...) {
    return keep(error, TALLY_INTERNAL, "unknown fault");
  }
}

}  // namespace tally
