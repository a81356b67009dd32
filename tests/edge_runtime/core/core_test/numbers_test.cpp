// Half floats, and the exponential and logarithm of the core.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "checks.h"
#include "elementary.h"
#include "head_view.h"

namespace {

/// Every bit pattern of binary16 against its definition: sign, exponent and significand.
void test_half_floats() {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const int exponent = static_cast<int>(bits >> 10 & 31), significand = bits & 1023;
    const float value = tally::to_float(tally::Half{static_cast<uint16_t>(bits)});
    if (exponent == 31 && significand != 0) {
      CHECK(std::isnan(value));
      continue;
    }
    double expected = exponent == 0 ? std::ldexp(significand, -24)
                                    : std::ldexp(1024 + significand, exponent - 25);
    if (exponent == 31) expected = std::numeric_limits<double>::infinity();
    CHECK(std::signbit(value) == (bits >> 15 == 1));
    CHECK(static_cast<double>(std::abs(value)) == expected);
  }
}

/// Correctly rounded, up to the rare case that lies half way between two floats; and the limits.
void test_exponential_and_logarithm() {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  int64_t beside = 0;
  for (uint64_t word = 0; word < (uint64_t{1} << 32); word += 65'521) {
    const auto bits = static_cast<uint32_t>(word);
    float x;
    std::memcpy(&x, &bits, sizeof x);
    if (std::isnan(x)) {
      CHECK(std::isnan(tally::exponential(x)) && std::isnan(tally::logarithm(x)));
      continue;
    }
    const double power = std::exp(static_cast<double>(x));
    beside += tally::exponential(x) != static_cast<float>(power) && power < 3.5e38;
    if (x < 0)
      CHECK(std::isnan(tally::logarithm(x)));
    else
      beside += tally::logarithm(x) != static_cast<float>(std::log(static_cast<double>(x)));
  }
  CHECK(beside == 0);
  CHECK(tally::exponential(0) == 1 && tally::exponential(-kInfinity) == 0);
  CHECK(tally::exponential(89) == kInfinity && tally::exponential(kInfinity) == kInfinity);
  CHECK(tally::logarithm(1) == 0 && tally::logarithm(0) == -kInfinity);
  CHECK(tally::logarithm(kInfinity) == kInfinity);
}

}  // namespace

void test_numbers() {
  test_half_floats();
  test_exponential_and_logarithm();
}
