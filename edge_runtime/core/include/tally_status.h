/* Statuses of calls and reasons of decisions; see tally.h. */
#ifndef TALLY_STATUS_H
#define TALLY_STATUS_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && defined(TALLY_SHARED)
#define TALLY_API __declspec(dllexport)
#elif defined(__GNUC__)
#define TALLY_API __attribute__((visibility("default")))
#else
#define TALLY_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- version and status ------------------------------------------------------------------ */

typedef enum tally_status {
  TALLY_OK = 0,
  TALLY_INVALID_ARGUMENT = 1, /* a pointer, size or value is outside its bounds */
  TALLY_BUFFER_TOO_SMALL = 2, /* the caller's array cannot hold the result; the count is set */
  TALLY_OUT_OF_ORDER = 3,     /* a timestamp is not later than the one before */
  TALLY_OUT_OF_MEMORY = 4,
  TALLY_INTERNAL = 5,
  TALLY_BAD_STATE = 6,        /* a saved state is damaged, or of a different counter */
  TALLY_UNSUPPORTED_SIZE = 7, /* a struct_size is 0, or of a later version than this library */
  TALLY_BAD_MODEL = 8,        /* a model file is damaged, or not a model */
  TALLY_UNSUPPORTED_MODEL = 9 /* a sound model file that tallylens did not write or cannot run */
} tally_status;

/* "major.minor.patch" of the library; static storage. */
TALLY_API const char* tally_version(void);

/* Name of a status in snake_case, "invalid_argument"; NULL for an unknown one; static storage. */
TALLY_API const char* tally_status_name(int32_t status);

/* A sentence about a status, for calls without a handle; NULL for an unknown one; static. */
TALLY_API const char* tally_status_text(int32_t status);

/* ---- reasons ----------------------------------------------------------------------------- */

/* Why something was decided. Numbers are never given a second meaning. */
typedef enum tally_reason {
  TALLY_REASON_NONE = 0,
  /* Levels of the governor, and frames that it leaves out. */
  TALLY_REASON_OVER_BUDGET = 1,
  TALLY_REASON_UNDER_BUDGET = 2,
  TALLY_REASON_WARM = 3,     /* thermal state moderate */
  TALLY_REASON_HOT = 4,      /* severe */
  TALLY_REASON_TOO_HOT = 5,  /* critical */
  TALLY_REASON_HEADROOM = 6, /* the device will soon be warm */
  TALLY_REASON_COOLER = 7,
  TALLY_REASON_RATE = 8, /* frame: more would exceed the rate in force */
  /* Where a frame goes. */
  TALLY_REASON_NEVER = 20,
  TALLY_REASON_NO_CONNECTION = 21,
  TALLY_REASON_SILENT = 22,
  TALLY_REASON_NO_CREDIT = 23,
  TALLY_REASON_NO_QUOTA = 24,
  TALLY_REASON_MEASURING = 25,
  TALLY_REASON_TOO_LATE = 26,
  TALLY_REASON_ALWAYS = 27,
  TALLY_REASON_FILE_LATER = 28,
  TALLY_REASON_LINK_SHARE = 29,
  TALLY_REASON_WORTH_IT = 30,
  TALLY_REASON_NOT_WORTH_IT = 31,
  TALLY_REASON_UNCHANGED = 32,
  TALLY_REASON_TOO_BIG = 33,
  TALLY_REASON_FILE_SOONER = 34,
  TALLY_REASON_NO_ANSWER = 35
} tally_reason;

/* Name of a reason in snake_case, "over_budget"; NULL for an unknown one; static storage. */
TALLY_API const char* tally_reason_name(int32_t reason);

/* A reason in words, as reports show it; NULL for an unknown one; static storage. */
TALLY_API const char* tally_reason_text(int32_t reason);

#ifdef __cplusplus
}
#endif

#endif /* TALLY_STATUS_H */
