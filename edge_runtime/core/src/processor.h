// Which instructions the loops over pixels may use.
#pragma once

// TALLY_PORTABLE builds the code for processors without special instructions; all give the same
// bytes.
#if defined(TALLY_PORTABLE)
#elif defined(__SSE2__)
#define TALLY_SSE2
#include <emmintrin.h>
#elif defined(__aarch64__) && defined(__ARM_NEON) && !defined(__AARCH64EB__)
#define TALLY_NEON
#include <arm_neon.h>
#endif

// Plain loops are compiled twice on x86-64 and the better one is chosen when the library loads.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define TALLY_HOT __attribute__((target_clones("avx2", "default")))
#else
#define TALLY_HOT
#endif

// Byte shuffles, which x86-64 need not have: functions with TALLY_SHUFFLES run only where
// `has_shuffles`. A call to an inline one would carry the vectors through memory.
#if defined(TALLY_SSE2) && defined(__GNUC__)
#define TALLY_SHUFFLES __attribute__((target("ssse3")))
#define TALLY_SHUFFLES_INLINE __attribute__((target("ssse3"), always_inline)) inline
#include <tmmintrin.h>
namespace tally {
inline bool has_shuffles() { return __builtin_cpu_supports("ssse3") != 0; }
}  // namespace tally
#endif
