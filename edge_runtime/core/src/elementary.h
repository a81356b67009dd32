// Exponential and logarithm with the same bits on every processor and C library.
#pragma once

namespace tally {

/// e to the power `x`, within 0.501 units of the last bit; 0 and infinity outside float's range.
float exponential(float x);

/// Natural logarithm of `x`, within 0.501 units of the last bit; -infinity for 0, NaN below.
float logarithm(float x);

}  // namespace tally
