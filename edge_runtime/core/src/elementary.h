// Exponential and logarithm with the same bits on every processor and C library.
#pragma once

namespace tally {

/// e to the power `x`, within 0.501 units in the last place; 0 and infinity outside float's range.
float exponential(float x);

/// Natural logarithm of `x`, within 0.501 units in the last place; -infinity for 0, NaN below.
float logarithm(float x);

}  // namespace tally
