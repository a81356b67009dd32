// Only additions, multiplications and divisions of doubles, which IEEE 754 rounds in one way.
#include "exact_floats.h"

#include "elementary.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace tally {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// 2 ^ (i / 16), and ln 2 / 16 as a sum whose first part times an integer of 12 bits is exact.
constexpr double kPowers[16] = {
    0x1.0000000000000p+0, 0x1.0b5586cf9890fp+0, 0x1.172b83c7d517bp+0, 0x1.2387a6e756238p+0,
    0x1.306fe0a31b715p+0, 0x1.3dea64c123422p+0, 0x1.4bfdad5362a27p+0, 0x1.5ab07dd485429p+0,
    0x1.6a09e667f3bcdp+0, 0x1.7a11473eb0187p+0, 0x1.8ace5422aa0dbp+0, 0x1.9c49182a3f090p+0,
    0x1.ae89f995ad3adp+0, 0x1.c199bdd85529cp+0, 0x1.d5818dcfba487p+0, 0x1.ea4afa2a490dap+0,
};
constexpr double kStepHigh = 0x1.62e42c0000000p-5, kStepLow = 0x1.f7d1cf79abc9ep-28;
constexpr double kStepsPerUnit = 0x1.71547652b82fep+4;
constexpr double kLn2High = 0x1.62e42c0000000p-1, kLn2Low = 0x1.f7d1cf79abc9ep-24;

/// 2 ^ `exponent` for exponents of normal doubles.
double power_of_two(int exponent) {
  const uint64_t bits = static_cast<uint64_t>(exponent + 1023) << 52;
  double power;
  std::memcpy(&power, &bits, sizeof power);
  return power;
}

}  // namespace

float exponential(float x) {
  if (!(x < 89.0f)) return x != x ? x : kInfinity;
  if (x < -104.0f) return 0;
  // x = k * ln 2 / 16 + r, so that exp(x) = 2 ^ (k / 16) * exp(r), with the series of a small r.
  const double steps = std::floor(static_cast<double>(x) * kStepsPerUnit + 0.5);
  const double r = (static_cast<double>(x) - steps * kStepHigh) - steps * kStepLow;
  const double square = r * r;
  const double low = 1 + r, middle = 1.0 / 2 + r * (1.0 / 6);
  const double high = 1.0 / 24 + r * (1.0 / 120) + square * (1.0 / 720);
  const double series = low + square * (middle + square * high);
  const int k = static_cast<int>(steps) + (256 << 4);  // above zero
  return static_cast<float>(kPowers[k & 15] * series * power_of_two((k >> 4) - 256));
}

float logarithm(float x) {
  if (x == 0) return -kInfinity;
  if (!(x > 0)) return std::numeric_limits<float>::quiet_NaN();
  if (x == kInfinity) return x;
  const double value = x;  // normal, also where the float is not
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  double mantissa = value * power_of_two(-exponent);
  if (mantissa > 1.4142135623730951) {
    mantissa *= 0.5;
    exponent += 1;
  }
  // log(m) = 2 artanh(s), with the series of a small s.
  const double s = (mantissa - 1) / (mantissa + 1), square = s * s;
  double series = 1.0 / 19;
  for (int n = 17; n >= 3; n -= 2) series = series * square + 1.0 / n;
  const double half = s + s * square * series;
  return static_cast<float>(exponent * kLn2High + (exponent * kLn2Low + 2 * half));
}

}  // namespace tally
