/* Which frames go to a server, and what its answers are worth; see tally.h. */
#ifndef TALLY_OFFLOAD_H
#define TALLY_OFFLOAD_H

#include "tally_detection.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- where a frame goes ------------------------------------------------------------------
 *
 * Four parts, each usable alone: the decision itself, an estimate of the link, the time that a
 * file may wait for, and answers that came too late. They hold numbers only: no clock, no socket
 * and no thread. Times are seconds of any one monotonic clock. */

typedef enum tally_offload_mode {
  TALLY_OFFLOAD_NEVER = 0,
  TALLY_OFFLOAD_AUTO = 1, /* weigh reward, time and link */
  TALLY_OFFLOAD_ALWAYS = 2
} tally_offload_mode;

typedef enum tally_action {
  TALLY_LOCAL = 0, /* the device's own model */
  TALLY_CLOUD = 1, /* the server's model */
  TALLY_SKIP = 2   /* neither: what was found in the frame before still holds */
} tally_action;

typedef struct tally_decision {
  int32_t action; /* tally_action */
  int32_t reason; /* tally_reason */
} tally_decision;

typedef struct tally_offload_options {
  uint32_t struct_size;
  int32_t mode;     /* tally_offload_mode */
  double share;     /* maximum share of the frames that AUTO sends, 0 to 1 */
  double unchanged; /* maximum difference of an unchanged view; see tally_offload_skip */
} tally_offload_options;

/* Facts about a captured frame and the link. */
typedef struct tally_offload_facts {
  uint32_t struct_size;
  int32_t connected;      /* 1: there is an open connection */
  int32_t allowed;        /* 1: the key has frames left now */
  int32_t smallest;       /* 1: no encoding with fewer bytes may be tried */
  int32_t measuring;      /* 1: a frame that measures the link is still on its way */
  int32_t static_reason;  /* of tally_offload_static_reason */
  int64_t credits_left;   /* how many more frames may be sent */
  double reward;          /* of tally_offload_reward */
  double link_debt_s;     /* for how long the link should rest, so that it is never full */
  double silent_s;        /* how long frames have waited without any answer */
  double silence_limit_s; /* silence after which no answer is to be expected; infinity: none */
  double expected_s;      /* time until the answer, 95th percentile */
  double deadline_s;      /* time until the frame must be counted */
  double local_s;         /* time that the local model needs afterwards, if no answer comes */
  double waiting_s;       /* how long the frames of a file may still wait; infinity: any time */
} tally_offload_facts;

/* What does not change from one frame to the next. */
typedef struct tally_offload_static_facts {
  uint32_t struct_size;
  int32_t live;        /* 1: frames come at their own pace, nothing is done sooner elsewhere */
  int64_t model_bytes; /* size of the local model's file; running it takes about three times that */
  int64_t memory_bytes; /* memory budget of the local model; -1 for no limit */
  double local_s;       /* seconds per frame, all engines together; 0 where not known yet */
  double cloud_s;
} tally_offload_static_facts;

/* Mean and 95th percentile of recent samples, the latest weighing most; 0 without samples. */
typedef struct tally_average {
  double mean;
  double p95;
  int64_t samples;
} tally_average;

typedef struct tally_offload tally_offload;

/* The benefit to expect from a bigger model: 0 for nothing, 1 for every detection. `features`
 * receives the 5 numbers that it is a weighted sum of; NULL to do without. */
TALLY_API tally_status tally_offload_reward(const tally_detection* detections, int32_t count,
                                            double* features, double* reward);

/* A reason to send every frame, or TALLY_REASON_NONE. */
TALLY_API tally_status tally_offload_static_reason(const tally_offload_static_facts* facts,
                                                   int32_t* reason);

/* Fill `options` with the defaults, as far as options->struct_size says. */
TALLY_API tally_status tally_offload_defaults(tally_offload_options* options);

/* Make what decides; see tally_governor_create. */
TALLY_API tally_status tally_offload_create(const tally_offload_options* options,
                                            tally_offload** out, char* error, size_t capacity);

/* Free it. */
TALLY_API void tally_offload_destroy(tally_offload* offload);

/* What was wrong in the last call on this handle that failed. */
TALLY_API const char* tally_offload_error(const tally_offload* offload);

typedef enum tally_view_size { TALLY_VIEW_COLUMNS = 32, TALLY_VIEW_ROWS = 18 } tally_view_size;

/* Mean gray levels of the upright frame in TALLY_VIEW_ROWS rows of TALLY_VIEW_COLUMNS equal cells;
 * `cells` receives them row by row. */
TALLY_API tally_status tally_offload_view(const tally_image* image, uint8_t* cells);

/* Whether no model has to see the frame: TALLY_SKIP, else TALLY_LOCAL without a reason.
 * `difference`: gray levels by which the most changed cell of tally_offload_view differs from that
 * of the last frame that a model saw. */
TALLY_API tally_status tally_offload_skip(tally_offload* offload, double difference,
                                          tally_decision* out);

/* Where this frame goes. Of the frames that could stay, AUTO sends those of the highest rewards:
 * each such decision moves the reward that is high enough. */
TALLY_API tally_status tally_offload_decide(tally_offload* offload,
                                            const tally_offload_facts* facts, tally_decision* out);

/* Take how long the local model took for a frame. */
TALLY_API tally_status tally_offload_computed(tally_offload* offload, double seconds);

/* Seconds that the local model takes. */
TALLY_API tally_status tally_offload_local(tally_offload* offload, tally_average* out);

/* ---- the link ----------------------------------------------------------------------------
 *
 * Frames arrive in the order in which they were sent, so that the bytes between two arrivals, over
 * the time between them, are a sample of the bandwidth, however long the server keeps each. */

typedef struct tally_link_options {
  uint32_t struct_size;
  int32_t reserved;      /* 0 */
  double share;          /* of the link's time, for frames that could stay on the device */
  double min_silence_s;  /* silence of a server is not suspicious before this ... */
  double silence_factor; /* ... nor before this many times what it took before */
} tally_link_options;

/* The link at one moment. */
typedef struct tally_link_state {
  uint32_t struct_size;
  int32_t measured;        /* 1: the bandwidth is known, and not from long ago */
  tally_average rtt;       /* seconds of a round trip of an empty message */
  tally_average server;    /* seconds that the server keeps a frame */
  tally_average bandwidth; /* bytes per second */
  int64_t unanswered;      /* frames in flight */
  double silent_s;         /* how long they have been in flight without any answer */
  double silence_limit_s;  /* silence after which they will hardly get an answer */
  double transit_s;        /* for how long their bytes may still be on their way, at worst */
  double busy_s;           /* for how long the link still carries what was sent */
  double debt_s;           /* for how long it should rest */
} tally_link_state;

typedef struct tally_link tally_link;

/* Fill `options` with the defaults, as far as options->struct_size says. */
TALLY_API tally_status tally_link_defaults(tally_link_options* options);

/* Make the estimate of one connection; see tally_governor_create. */
TALLY_API tally_status tally_link_create(const tally_link_options* options, tally_link** out,
                                         char* error, size_t capacity);

/* Free an estimate. */
TALLY_API void tally_link_destroy(tally_link* link);

/* What was wrong in the last call on this handle that failed. */
TALLY_API const char* tally_link_error(const tally_link* link);

/* Take the round trip of hello and welcome, both short. */
TALLY_API tally_status tally_link_welcomed(tally_link* link, double seconds);

/* A frame of `bytes` is sent; sequence numbers rise from 1. */
TALLY_API tally_status tally_link_sent(tally_link* link, int64_t sequence, int64_t bytes,
                                       double now_s);

/* The answer to a frame came, which the server kept for `server_s`. */
TALLY_API tally_status tally_link_answered(tally_link* link, int64_t sequence, double server_s,
                                           double now_s);

/* The connection has ended: forget the frames in flight. */
TALLY_API tally_status tally_link_lost(tally_link* link);

/* Expected time of a frame of `bytes` to its answer, 95th percentile, behind those before it; 0
 * while the bandwidth is not known. */
TALLY_API tally_status tally_link_expected(tally_link* link, int64_t bytes, double now_s,
                                           double* seconds);

/* The link now; set out->struct_size first. */
TALLY_API tally_status tally_link_get_state(tally_link* link, double now_s, tally_link_state* out);

/* ---- how long a file may wait ------------------------------------------------------------
 *
 * The device's time is lost while a frame waits for the cloud and engines have nothing to do; with
 * one of two engines idle, half of it. A frame that only the cloud computed has saved some. Lost
 * time stays below `share` of the rest, so that a file ends little later than without a cloud. */

typedef struct tally_waiting_options {
  uint32_t struct_size;
  int32_t engines; /* how many frames the device can compute at a time, 1 to 4096 */
  double share;
} tally_waiting_options;

typedef struct tally_waiting tally_waiting;

/* Fill `options` with the defaults, as far as options->struct_size says. */
TALLY_API tally_status tally_waiting_defaults(tally_waiting_options* options);

/* Make the account of one file; see tally_governor_create. */
TALLY_API tally_status tally_waiting_create(const tally_waiting_options* options,
                                            tally_waiting** out, char* error, size_t capacity);

/* Free an account. */
TALLY_API void tally_waiting_destroy(tally_waiting* waiting);

/* What was wrong in the last call on this handle that failed. */
TALLY_API const char* tally_waiting_error(const tally_waiting* waiting);

/* A frame starts; the time of the file starts with the first. */
TALLY_API tally_status tally_waiting_start(tally_waiting* waiting, double now_s);

/* `change` more frames (less, if below 0) wait for the cloud from now on. */
TALLY_API tally_status tally_waiting_wait(tally_waiting* waiting, double now_s, int32_t change);

/* `change` more engines (less, if below 0) compute from now on. */
TALLY_API tally_status tally_waiting_compute(tally_waiting* waiting, double now_s, int32_t change);

/* No engine had to compute a frame, which takes all engines together `seconds`. */
TALLY_API tally_status tally_waiting_saved(tally_waiting* waiting, double seconds);

/* How much longer frames may wait; 0 if they may not. */
TALLY_API tally_status tally_waiting_left(tally_waiting* waiting, double now_s, double* seconds);

/* ---- answers that came too late ----------------------------------------------------------
 *
 * Their boxes are old, their classes are not: a local detection in the same place takes the class
 * that the bigger model found there. */

typedef struct tally_late_options {
  uint32_t struct_size;
  int32_t max_answers;   /* how many are kept, 1 to 64 */
  double keep_s;         /* for how long */
  double min_iou;        /* overlap that is the same place */
  double min_confidence; /* of an object in a late answer */
} tally_late_options;

typedef struct tally_late tally_late;

/* Fill `options` with the defaults, as far as options->struct_size says. */
TALLY_API tally_status tally_late_defaults(tally_late_options* options);

/* Make an empty collection; see tally_governor_create. */
TALLY_API tally_status tally_late_create(const tally_late_options* options, tally_late** out,
                                         char* error, size_t capacity);

/* Free a collection. */
TALLY_API void tally_late_destroy(tally_late* late);

/* What was wrong in the last call on this handle that failed. */
TALLY_API const char* tally_late_error(const tally_late* late);

/* Keep the answer to a frame that was counted already, in source pixels and the device's classes.
 */
TALLY_API tally_status tally_late_note(tally_late* late, const tally_detection* detections,
                                       int32_t count, double now_s);

/* Correct the classes of `detections`, in place; boxes and scores stay. `changed` receives how many
 * were changed. */
TALLY_API tally_status tally_late_apply(tally_late* late, tally_detection* detections,
                                        int32_t count, double now_s, int32_t* changed);

#ifdef __cplusplus
}
#endif

#endif /* TALLY_OFFLOAD_H */
