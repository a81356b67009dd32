// Errors with a status, and the guard between C++ exceptions and C statuses.
#pragma once

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

/// Call `body(context)`; no exception leaves, its text stays in `error`.
tally_status run_guarded(std::string& error, void (*body)(const void*),
                         const void* context) noexcept;

/// Run `body`; no exception leaves, its text stays in `error`. All bodies share one set of
/// handlers: a set for each would be a tenth of the library.
template <typename Body>
tally_status guarded(std::string& error, const Body& body) noexcept {
  return run_guarded(
      error, [](const void* context) { (*static_cast<const Body*>(context))(); }, &body);
}

}  // namespace tally
