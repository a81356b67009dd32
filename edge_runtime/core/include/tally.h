/* tally.h: the counting core of tallylens, one C interface for Python, Kotlin, Swift and C.
 *
 * frame -> tally_preprocessor -> (your engine) -> tally_decoder -> tally_counter -> totals, events
 *
 * Rules that hold for every function:
 *  - It returns a tally_status. On any status but TALLY_OK the outputs are unspecified and, where a
 *    handle was given, tally_*_error(handle) says what was wrong; the text lives until the next
 *    call on that handle. A handle stays usable after an error, its totals are unchanged.
 *  - A handle made by tally_*_create is owned by the caller and ends with tally_*_destroy (NULL is
 *    allowed). The caller owns nothing else; pointers passed in are only read during the call.
 *  - Different handles may be used from different threads at the same time; one handle may not.
 *  - Coordinates are pixels, origin top left, x right, y down, of the source frame after
 *    rotation. Times are capture times in nanoseconds. Arrays are given as pointer and length.
 *  - A struct that starts with `struct_size` can grow. Set that field to sizeof the struct; for
 *    options, then call tally_*_defaults and change what you need. A smaller size is of an earlier
 *    version: fields that it lacks take their defaults. A larger one is of a later version than
 *    this library and is refused with TALLY_UNSUPPORTED_SIZE, and so is 0.
 *  - No function throws, prints, allocates on behalf of the caller or keeps global state.
 */
#ifndef TALLY_H
#define TALLY_H

/* Version of this header; tally_version() is that of the library. */
#define TALLY_VERSION "0.2.0"

/* In the order of what needs what: bindings and documentation are generated in it. */
/* clang-format off */
#include "tally_status.h"
#include "tally_detection.h"
#include "tally_counter.h"
#include "tally_rate.h"
#include "tally_offload.h"
#include "tally_model.h"
/* clang-format on */

#endif /* TALLY_H */
