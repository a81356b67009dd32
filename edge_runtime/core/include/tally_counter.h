/* From detections to tracks, events and totals; see tally.h. */
#ifndef TALLY_COUNTER_H
#define TALLY_COUNTER_H

#include "tally_detection.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- detections to counts ---------------------------------------------------------------- */

/* The point of a box that crosses lines and enters zones. */
typedef enum tally_anchor {
  TALLY_BOTTOM_CENTER = 0,
  TALLY_CENTER = 1,
  TALLY_TOP_CENTER = 2
} tally_anchor;

/* Every threshold is in seconds, in units of the object's own size, or a score: none depends on
 * the frame rate. */
typedef struct tally_counter_options {
  uint32_t struct_size;
  int32_t num_classes;
  int32_t frame_width; /* source pixels after rotation */
  int32_t frame_height;
  int32_t any_class;        /* 1: every detection is class 0, num_classes must be 1 */
  int32_t anchor;           /* tally_anchor */
  float low_confidence;     /* detections below are ignored */
  float high_confidence;    /* detections from here on can match any track */
  float new_confidence;     /* detections from here on can start a track */
  float confirm_s;          /* a track is confirmed once seen over this time ... */
  float confirm_confidence; /* ... with this mean confidence */
  float lost_s;             /* an unseen object is kept as lost for this long */
  float edge_lost_s;        /* the same for one that was leaving the frame */
  float hysteresis;         /* an object has changed sides when this far past the line, in sizes */
  float remember_s;         /* an object that was standing is expected there for this long */
  float min_size;           /* detections whose size, sqrt(width * height), is smaller or ... */
  float max_size;           /* ... larger are ignored, in pixels of the frame */
} tally_counter_options;

typedef struct tally_point {
  float x;
  float y;
} tally_point;

/* Parameters of a region; each counting rule reads those that it knows. */
typedef struct tally_region_options {
  uint32_t struct_size;
  int32_t extend;      /* line: 1 counts beyond the ends too */
  float min_dwell_s;   /* zone: an object that stays for less than this is not counted there */
  float parameters[8]; /* of rules to come; 0 */
} tally_region_options;

typedef struct tally_track {
  int64_t track_id;
  float x1;
  float y1;
  float x2;
  float y2;
  float confidence; /* of the detection matched in this frame */
  int32_t class_id; /* by majority vote over the track */
} tally_track;

/* What happened. Counting rules added later have their own further kinds; see
 * tally_event_kind_name. */
typedef enum tally_event_kind {
  TALLY_CONFIRMED = 0, /* counted as a unique object */
  TALLY_CROSSED_IN = 1,
  TALLY_CROSSED_OUT = 2,
  TALLY_ENTERED = 3,
  TALLY_LEFT = 4,
  TALLY_RECLASSIFIED = 5 /* the vote changed: what was counted moved from previous_class_id */
} tally_event_kind;

typedef struct tally_event {
  int64_t timestamp_ns; /* when it happened, which may be before the call that reports it */
  int64_t track_id;
  int32_t kind; /* tally_event_kind */
  int32_t class_id;
  int32_t previous_class_id; /* -1 unless reclassified */
  int32_t region;            /* index of the region of its kind, -1 without one */
  float x;
  float y;
  float confidence;
  float age_s;
  float dwell_s; /* of `left`: duration of the visit, else 0 */
} tally_event;

/* An object that is in a region now. */
typedef struct tally_visit {
  int64_t track_id;
  int32_t class_id;
  float dwell_s; /* so far */
} tally_visit;

/* Where and when an object that was confirmed in this period was seen last. */
typedef struct tally_seen {
  int64_t track_id;
  int64_t timestamp_ns;
  int32_t class_id;
  float x1;
  float y1;
  float x2;
  float y2;
} tally_seen;

/* An event that tally_counter_withhold keeps back, and when its object was seen last. */
typedef struct tally_withheld {
  int64_t seen_ns;
  tally_event event;
} tally_withheld;

/* A new object that could be one that was counted before: a similar one was lost near there. */
typedef struct tally_return {
  int64_t lost_track_id;
  int64_t track_id;
  int64_t timestamp_ns; /* when the new one was first seen */
  int32_t class_id;
} tally_return;

/* Why a total may be smaller than expected. */
typedef struct tally_diagnostics {
  uint32_t struct_size;
  float needed_fps; /* frame rate at which `unlinked` detections would be near enough; 0 if none */
  int64_t frames;
  int64_t detections;           /* given to update */
  int64_t below_low_confidence; /* of these, ignored */
  int64_t unconfirmed_tracks;   /* ended before they counted as objects */
  int64_t live_tracks;
  int64_t longest_gap_ns;      /* between two frames */
  int64_t unlinked;            /* detections too far from the one before to be the same object */
  float fastest;               /* of the objects that were followed, in own sizes per second */
  float longest_unconfirmed_s; /* of the tracks that ended before they counted */
  int64_t last_timestamp_ns;   /* INT64_MIN before the first frame */
  int64_t ignored;             /* of the detections: in an ignored area, too small or too large */
} tally_diagnostics;

/* Why a total is zero, or smaller than expected. The numbers that a sentence about it needs are in
 * tally_finding and, where fields are named here, in tally_diagnostics. Numbers are never given a
 * second meaning. */
typedef enum tally_cause {
  TALLY_CAUSE_NO_FRAME = 0,
  TALLY_CAUSE_NO_DETECTION = 1,     /* of any class */
  TALLY_CAUSE_OTHER_DETECTIONS = 2, /* of classes that are not wanted, which `class_ids` names */
  TALLY_CAUSE_IGNORED = 3,          /* all were: `ignored` */
  TALLY_CAUSE_WEAK = 4,             /* none reached new_confidence: `detections` */
  TALLY_CAUSE_UNCONFIRMED = 5,      /* tracks were too short or weak: `unconfirmed_tracks` and
                                     * `live_tracks`, `longest_unconfirmed_s` */
  TALLY_CAUSE_OTHER_OBJECTS = 6,    /* objects of classes that are not wanted: `class_ids` */
  TALLY_CAUSE_OTHERS_COUNTED = 7,   /* the region has counted classes that are not wanted only */
  TALLY_CAUSE_NOTHING_NEAR = 8,     /* no counted object was in the region, or near the line */
  TALLY_CAUSE_MISSED = 9,           /* the nearest object was `value` pixels from the line */
  TALLY_CAUSE_TOO_FAST = 10         /* `unlinked` objects; `value` frames per second are needed */
} tally_cause;

typedef struct tally_finding {
  int32_t cause;        /* tally_cause */
  int32_t rule;         /* number of the region's kind in tally_region_kind; -1 without a region */
  int32_t region;       /* index of the region of its kind, -1 without one */
  int32_t num_classes;  /* how many of the following are set, 0 to 5 */
  int32_t class_ids[5]; /* the classes with the highest totals, highest first, ... */
  int32_t reserved;     /* 0 */
  int64_t totals[5];    /* ... and these totals: detections, objects or events of the region */
  double value;         /* pixels or frames per second, see tally_cause; else 0 */
} tally_finding;

typedef struct tally_counter tally_counter;

/* Fill `options` with the defaults, as far as options->struct_size says. */
TALLY_API tally_status tally_counter_defaults(tally_counter_options* options);

/* Make a counter. If options are refused, `error` receives the reason as text that ends in NUL,
 * cut to `capacity` bytes; NULL and 0 to do without. */
TALLY_API tally_status tally_counter_create(const tally_counter_options* options,
                                            tally_counter** out, char* error, size_t capacity);

/* Free a counter. */
TALLY_API void tally_counter_destroy(tally_counter* counter);

/* What was wrong in the last call on this handle that failed. */
TALLY_API const char* tally_counter_error(const tally_counter* counter);

/* ---- regions -----------------------------------------------------------------------------
 *
 * A region is where a counting rule applies. Its kind is the name of the rule; regions of one kind
 * are numbered from 0.
 *
 *   kind    points              class totals         values
 *   "line"  2: a, b             in, out              nearest
 *   "zone"  3..1000 corners     now, entered, left   mean_dwell_s, max_dwell_s
 *
 * A line counts `in` from the left to the right when facing from a to b; it is a segment, or
 * endless with `extend`. `nearest` is the minimum distance in pixels between the line and the
 * anchor of a confirmed track; -1 without any. A zone is any simple polygon. Its dwell times are in
 * seconds, over all visits including those under way; 0 without any.
 */

/* Name of the rule number `rule`; NULL past the end; static storage. */
TALLY_API const char* tally_region_kind(int32_t rule);

/* Name of a class total of a kind of region, by position; NULL past the end; static storage. */
TALLY_API const char* tally_region_total_name(const char* kind, int32_t total);

/* Name of a value of a kind of region, by position; NULL past the end; static storage. */
TALLY_API const char* tally_region_value_name(const char* kind, int32_t value);

/* Name of an event kind in snake_case; NULL past the end; static storage. */
TALLY_API const char* tally_event_kind_name(int32_t event_kind);

/* Kind of region that an event kind belongs to; NULL if none; static storage. */
TALLY_API const char* tally_event_region_kind(int32_t event_kind);

/* Fill `options` with the defaults, as far as options->struct_size says. */
TALLY_API tally_status tally_region_defaults(tally_region_options* options);

/* Add a region before the first update. `options` may be NULL for the defaults. `index` receives
 * the region's number among those of its kind, of which there are at most 256. */
TALLY_API tally_status tally_counter_add_region(tally_counter* counter, const char* kind,
                                                const tally_point* points, int32_t num_points,
                                                const tally_region_options* options,
                                                int32_t* index);

/* Choose the classes that are wanted, before the first update. An object's class is then chosen
 * among them where the vote gives them enough; objects of other classes are counted as before. */
TALLY_API tally_status tally_counter_want_classes(tally_counter* counter, const int32_t* class_ids,
                                                  int32_t count);

/* Before the first update: tally_counter_take_events gives from now on only what concerns the
 * totals of wanted classes, so that its events always add up to those. The others are withheld:
 * when an object becomes one of a wanted class, its totals of this period move there, and its
 * withheld events follow under the new class, before TALLY_RECLASSIFIED. tally_counter_reset drops
 * them, and so does the end of an object, once many wait. */
TALLY_API tally_status tally_counter_withhold(tally_counter* counter);

/* Ignore detections whose anchor is inside this polygon of 3..1000 corners: they are neither
 * tracked nor counted. Before the first update; at most 256 areas. */
TALLY_API tally_status tally_counter_ignore(tally_counter* counter, const tally_point* points,
                                            int32_t num_points);

/* ---- counting ---------------------------------------------------------------------------- */

/* Track and count one frame. Every frame is given, also one without detections. */
TALLY_API tally_status tally_counter_update(tally_counter* counter, int64_t timestamp_ns,
                                            const tally_detection* detections, int32_t count);

/* Which detections `update` would track: `out` receives 1 or 0 for each of `count`; 0 for those
 * below low_confidence and for ignored ones. The counter does not change. */
TALLY_API tally_status tally_counter_usable(tally_counter* counter,
                                            const tally_detection* detections, int32_t count,
                                            int32_t* out);

/* Confirmed tracks seen in the last frame. `count` is set also when `capacity` is too small. */
TALLY_API tally_status tally_counter_tracks(tally_counter* counter, tally_track* out,
                                            int32_t capacity, int32_t* count);

/* Take the events since the last call, oldest first. Those not taken are kept, up to 65536, the
 * oldest dropped first. */
TALLY_API tally_status tally_counter_take_events(tally_counter* counter, tally_event* out,
                                                 int32_t capacity, int32_t* count);

/* Unique objects by class; `out` holds num_classes entries. */
TALLY_API tally_status tally_counter_unique(tally_counter* counter, int64_t* out, int32_t capacity);

/* How many of the unique objects could be the same as one that was counted before in this period,
 * by class: the same class and a similar size, near where that one was lost at most remember_s
 * earlier. `out` holds num_classes entries. */
TALLY_API tally_status tally_counter_returned(tally_counter* counter, int64_t* out,
                                              int32_t capacity);

/* Detections given to update, by class; `out` holds num_classes entries. */
TALLY_API tally_status tally_counter_detected(tally_counter* counter, int64_t* out,
                                              int32_t capacity);

/* One class total of a region, by position; `out` holds num_classes entries. */
TALLY_API tally_status tally_counter_region_total(tally_counter* counter, const char* kind,
                                                  int32_t index, int32_t total, int64_t* out,
                                                  int32_t capacity);

/* One value of a region, by position. */
TALLY_API tally_status tally_counter_region_value(tally_counter* counter, const char* kind,
                                                  int32_t index, int32_t value, double* out);

/* Counted objects that are in a region now; none for regions without an inside. `count` is set
 * also when `capacity` is too small. */
TALLY_API tally_status tally_counter_region_visits(tally_counter* counter, const char* kind,
                                                   int32_t index, tally_visit* out,
                                                   int32_t capacity, int32_t* count);

/* What went in and what was left out; set out->struct_size first. */
TALLY_API tally_status tally_counter_diagnostics(tally_counter* counter, tally_diagnostics* out);

/* Why totals are zero, or smaller than expected; none if everything was counted as asked. `count`
 * is set also when `capacity` is too small. */
TALLY_API tally_status tally_counter_findings(tally_counter* counter, tally_finding* out,
                                              int32_t capacity, int32_t* count);

/* The source has ended: objects that are past a line and move on are counted although they have
 * not reached the distance of `hysteresis`. */
TALLY_API tally_status tally_counter_conclude(tally_counter* counter);

/* End a period: totals and diagnostics restart from zero. Objects keep their track ids and are not
 * counted again, and visits continue. */
TALLY_API tally_status tally_counter_reset(tally_counter* counter);

/* Write everything that the counter knows, to resume later or elsewhere with the same counts.
 * `size` is set also when `capacity` is too small. */
TALLY_API tally_status tally_counter_save(tally_counter* counter, uint8_t* out, size_t capacity,
                                          size_t* size);

/* Resume from what a counter of the same options and regions saved. Anything else is refused with
 * TALLY_BAD_STATE, and the counter is unchanged. */
TALLY_API tally_status tally_counter_restore(tally_counter* counter, const uint8_t* state,
                                             size_t size);

/* What tally_counter_returned counts from, in any order; a saved state does not hold it. `count` is
 * set also when `capacity` is too small. */
TALLY_API tally_status tally_counter_seen(tally_counter* counter, tally_seen* out, int32_t capacity,
                                          int32_t* count);
TALLY_API tally_status tally_counter_returns(tally_counter* counter, tally_return* out,
                                             int32_t capacity, int32_t* count);

/* Resume from what the three above gave, after tally_counter_restore, which leaves them empty.
 * Anything else is refused with TALLY_BAD_STATE, and the counter is unchanged. */
TALLY_API tally_status tally_counter_restore_returns(tally_counter* counter,
                                                     const int64_t* returned, int32_t num_classes,
                                                     const tally_seen* seen, int32_t num_seen,
                                                     const tally_return* returns,
                                                     int32_t num_returns);

/* The events that are withheld, by track and then in the order in which they happened; a saved
 * state does not hold them. `count` is set also when `capacity` is too small. */
TALLY_API tally_status tally_counter_withheld(tally_counter* counter, tally_withheld* out,
                                              int32_t capacity, int32_t* count);

/* Resume from what tally_counter_withheld gave, with the tracks in any order, after
 * tally_counter_restore, which leaves it empty. Anything else is refused with TALLY_BAD_STATE, and
 * the counter is unchanged. */
TALLY_API tally_status tally_counter_restore_withheld(tally_counter* counter,
                                                      const tally_withheld* withheld,
                                                      int32_t count);

/* ---- counts over time --------------------------------------------------------------------
 *
 * Numbers by key, such as the objects of each class that are in view at once, in bins of time. A
 * bin is a second wide, and all become twice as wide when there are too many. */

/* How two numbers of one key and bin are joined. */
typedef enum tally_join {
  TALLY_JOIN_MAX = 0, /* of what is there at once */
  TALLY_JOIN_SUM = 1  /* of what happens one after the other */
} tally_join;

typedef struct tally_bins_options {
  uint32_t struct_size;
  int32_t join;     /* tally_join */
  int32_t max_bins; /* 1 to 1048576; by default those of a day */
} tally_bins_options;

/* One number of one bin. */
typedef struct tally_bin {
  int64_t start_s; /* of the bin, in seconds from the start; a multiple of its width */
  int64_t number;
  int32_t key;      /* 0 or above */
  int32_t reserved; /* 0 */
} tally_bin;

typedef struct tally_bins tally_bins;

/* Fill `options` with the defaults, as far as options->struct_size says. */
TALLY_API tally_status tally_bins_defaults(tally_bins_options* options);

/* Make bins without any number; see tally_governor_create. */
TALLY_API tally_status tally_bins_create(const tally_bins_options* options, tally_bins** out,
                                         char* error, size_t capacity);

/* Free bins. */
TALLY_API void tally_bins_destroy(tally_bins* bins);

/* What was wrong in the last call on this handle that failed. */
TALLY_API const char* tally_bins_error(const tally_bins* bins);

/* Take what is there `time_s` seconds from the start, 0 or more: the number of a key is how often
 * it is among `keys`, in any order. Without any key nothing happens. */
TALLY_API tally_status tally_bins_add(tally_bins* bins, double time_s, const int32_t* keys,
                                      int32_t count);

/* Make old bins wider, before they are saved: 30 s after an hour, 5 minutes after a day, an hour
 * after 5 days, 6 hours after 30 days. Within a minute of the last time nothing happens. */
TALLY_API tally_status tally_bins_compact(tally_bins* bins);

/* All numbers in order of time and key, and the width of new bins in seconds (may be NULL). `count`
 * is set also when `capacity` is too small. */
TALLY_API tally_status tally_bins_numbers(tally_bins* bins, tally_bin* out, int32_t capacity,
                                          int32_t* count, int64_t* seconds);

/* Resume from what tally_bins_numbers gave, in any order. Anything else is refused with
 * TALLY_BAD_STATE, and the bins are unchanged. */
TALLY_API tally_status tally_bins_restore(tally_bins* bins, int64_t seconds,
                                          const tally_bin* numbers, int32_t count);

#ifdef __cplusplus
}
#endif

#endif /* TALLY_COUNTER_H */
