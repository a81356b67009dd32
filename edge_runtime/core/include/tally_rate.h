/* Which frames are processed, and at which input size; see tally.h. */
#ifndef TALLY_RATE_H
#define TALLY_RATE_H

#include "tally_counter.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- which frames are processed, and at which input size ---------------------------------
 *
 * The governor keeps a latency budget, a maximum frame rate and the device's temperature, in steps
 * of a ladder: every frame, one in 2, one in 4, then smaller inputs. A step down is taken when
 * every half second of two seconds was over the budget, a step up when nearly all of ten seconds
 * was well under it; after a step up that does not hold the next try waits twice as long.
 *
 * Heat takes further steps, at once: moderate one, severe two, critical stops (no frame is wanted).
 * They are returned one by one, each after ten cooler seconds of capture time, and meanwhile no
 * step up is tried. */

/* As Android's PowerManager gives it; iOS: nominal 0, fair 1, serious 3, critical 4. */
typedef enum tally_thermal {
  TALLY_THERMAL_NONE = 0,
  TALLY_THERMAL_LIGHT = 1,
  TALLY_THERMAL_MODERATE = 2,
  TALLY_THERMAL_SEVERE = 3,
  TALLY_THERMAL_CRITICAL = 4,
  TALLY_THERMAL_EMERGENCY = 5,
  TALLY_THERMAL_SHUTDOWN = 6
} tally_thermal;

typedef struct tally_governor_options {
  uint32_t struct_size;
  int32_t num_sizes; /* input sizes that the model can have, 1 to 16; number 0 is the largest */
  double budget_ms;  /* maximum latency of a frame; 0 for any */
  double max_fps;    /* maximum frames per second of capture time; 0 for all */
} tally_governor_options;

/* A step of the ladder: one frame in `rate` is processed, at input size number `size`. */
typedef struct tally_level {
  int32_t rate;
  int32_t size;
} tally_level;

typedef struct tally_governor_state {
  uint32_t struct_size;
  int32_t paused; /* 1: too hot, no frame is wanted */
  tally_level level;
  tally_level lowest; /* the cheapest level so far */
  int64_t changes;
} tally_governor_state;

/* A change of level, and the latency that it was decided by; 0 if it was not by latency. */
typedef struct tally_level_change {
  int64_t timestamp_ns; /* capture time of the last frame before it */
  double latency_ms;
  int32_t reason; /* tally_reason */
  int32_t paused;
  tally_level level; /* from now on */
} tally_level_change;

typedef struct tally_governor tally_governor;

/* Fill `options` with the defaults, as far as options->struct_size says. */
TALLY_API tally_status tally_governor_defaults(tally_governor_options* options);

/* Make a governor. If options are refused, `error` receives the reason as text that ends in NUL,
 * cut to `capacity` bytes; NULL and 0 to do without. */
TALLY_API tally_status tally_governor_create(const tally_governor_options* options,
                                             tally_governor** out, char* error, size_t capacity);

/* Free a governor. */
TALLY_API void tally_governor_destroy(tally_governor* governor);

/* What was wrong in the last call on this handle that failed. */
TALLY_API const char* tally_governor_error(const tally_governor* governor);

/* All levels, best first. `count` is set also when `capacity` is too small. */
TALLY_API tally_status tally_governor_ladder(tally_governor* governor, tally_level* out,
                                             int32_t capacity, int32_t* count);

/* Whether to process the frame of this capture time: 1 or 0 in `wanted`, and why not in `reason`
 * (may be NULL). Called once per frame, in order. */
TALLY_API tally_status tally_governor_wants(tally_governor* governor, int64_t timestamp_ns,
                                            int32_t* wanted, int32_t* reason);

/* Take the latency of a frame that was processed: from the camera for a live frame, else the
 * processing time. */
TALLY_API tally_status tally_governor_learn(tally_governor* governor, int64_t timestamp_ns,
                                            double latency_ms);

/* Take the device's thermal state (tally_thermal). Without any it is NONE. */
TALLY_API tally_status tally_governor_set_thermal(tally_governor* governor, int32_t thermal);

/* Take the forecast of Android's getThermalHeadroom, where 1 is severe; from 0.95 on it counts as
 * moderate before the thermal state says so. NaN or less than 0: not known. */
TALLY_API tally_status tally_governor_set_headroom(tally_governor* governor, double headroom);

/* What is in force; set out->struct_size first. */
TALLY_API tally_status tally_governor_get_state(tally_governor* governor,
                                                tally_governor_state* out);

/* Take the changes of level since the last call, oldest first. Those not taken are kept, up to 256,
 * the oldest dropped first. */
TALLY_API tally_status tally_governor_take_changes(tally_governor* governor,
                                                   tally_level_change* out, int32_t capacity,
                                                   int32_t* count);

/* ---- adaptive sampling -------------------------------------------------------------------
 *
 * For cameras of 60 to 240 frames per second: only the frames that the objects' speed needs. A
 * new object gets every frame until its speed is known. */

typedef struct tally_sampler_options {
  uint32_t struct_size;
  int32_t reserved;      /* 0 */
  double step;           /* maximum movement between two frames, in the object's own sizes */
  double slowest_fps;    /* of an empty scene */
  double new_confidence; /* detections from here on may be a new object */
} tally_sampler_options;

typedef struct tally_sampler_state {
  uint32_t struct_size;
  int32_t reserved; /* 0 */
  double fastest;   /* maximum speed so far, in own sizes per second */
  double used_fps;  /* frames wanted per second of capture time, on average */
} tally_sampler_state;

typedef struct tally_sampler tally_sampler;

/* Fill `options` with the defaults, as far as options->struct_size says. */
TALLY_API tally_status tally_sampler_defaults(tally_sampler_options* options);

/* Make a sampler; see tally_governor_create. */
TALLY_API tally_status tally_sampler_create(const tally_sampler_options* options,
                                            tally_sampler** out, char* error, size_t capacity);

/* Free a sampler. */
TALLY_API void tally_sampler_destroy(tally_sampler* sampler);

/* What was wrong in the last call on this handle that failed. */
TALLY_API const char* tally_sampler_error(const tally_sampler* sampler);

/* Whether to process the frame of this capture time; 1 or 0. Once per frame, in order. */
TALLY_API tally_status tally_sampler_wants(tally_sampler* sampler, int64_t timestamp_ns,
                                           int32_t* wanted);

/* Take the outcome of a frame that was processed: its confirmed tracks (tally_counter_tracks) and
 * all its detections. */
TALLY_API tally_status tally_sampler_learn(tally_sampler* sampler, int64_t timestamp_ns,
                                           const tally_track* tracks, int32_t num_tracks,
                                           const tally_detection* detections,
                                           int32_t num_detections);

/* The speeds measured so far; set out->struct_size first. */
TALLY_API tally_status tally_sampler_get_state(tally_sampler* sampler, tally_sampler_state* out);

#ifdef __cplusplus
}
#endif

#endif /* TALLY_RATE_H */
