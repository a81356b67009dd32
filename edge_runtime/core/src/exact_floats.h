// One result on every processor. Every .cpp of the core includes this file before all others.
//
// A compiler may fuse a * b + c into one instruction that rounds once instead of twice. On arm64
// that is the default, and it changes the last bit of coordinates and times. The pragmas forbid it;
// GCC knows none and gets -ffp-contract=off from both builds. Functions whose results differ
// between C libraries (exp, log) are in elementary.h; sqrt, ceil and rounding are exact everywhere.
#pragma once

#if defined(__clang__)
#pragma clang fp contract(off)
// Clang reports what the headers of libstdc++ themselves call when they sort in a stable way.
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
#elif defined(_MSC_VER)
#pragma fp_contract(off)
#endif

#if defined(__FAST_MATH__)
#error "The core needs IEEE arithmetic: build it without -ffast-math"
#endif
