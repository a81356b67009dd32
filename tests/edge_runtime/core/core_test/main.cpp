// Runs all tests.
#include <cstdio>

#include "checks.h"

namespace {

int failures = 0;
int checks = 0;

}  // namespace

void check(bool holds, const char* what, const char* file, int line) {
  ++checks;
  if (holds) return;
  ++failures;
  std::printf("%s:%d: failed: %s\n", file, line, what);
}

int main() {
  test_assignment();
  test_bins();
  test_counter();
  test_decoder();
  test_numbers();
  test_preprocessor();
  test_regions();
  std::printf("core: %d passed, %d failed\n", checks - failures, failures);
  return failures == 0 ? 0 : 1;
}
