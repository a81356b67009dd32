// The core's own tests, run under AddressSanitizer and UBSan by tests/edge_runtime/core/run.sh.
// They look for what Python cannot see: memory errors, leaks and undefined behavior on input that
// the C interface must refuse, and the parts that it does not show.
#pragma once

/// Count a check, and print it if it failed.
void check(bool holds, const char* what, const char* file, int line);
#define CHECK(condition) check((condition), #condition, __FILE__, __LINE__)

void test_assignment();
void test_bins();
void test_counter();
void test_decoder();
void test_numbers();
void test_preprocessor();
void test_regions();
