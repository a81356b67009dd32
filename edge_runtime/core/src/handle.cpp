// The guard between C++ exceptions and C statuses.
#include "exact_floats.h"

#include "handle.h"

#include <algorithm>
#include <exception>
#include <new>

#include "api.h"

namespace tally {
namespace {

tally_status keep(std::string& error, tally_status status, const char* message) noexcept {
  try {
    error = message;
  } catch (...) {
    error.clear();
  }
  return status;
}

}  // namespace

tally_status run_guarded(std::string& error, void (*body)(const void*),
                         const void* context) noexcept {
  try {
    body(context);
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

void tell(const std::string& reason, char* error, size_t capacity) noexcept {
  if (error == nullptr || capacity == 0) return;
  const size_t length = std::min(reason.size(), capacity - 1);
  std::copy_n(reason.data(), length, error);
  error[length] = '\0';
}

}  // namespace tally
