/* tally.h: the counting core of tallylens, one C interface for Python, Kotlin, Swift and C.
 *
 * frame -> tally_preprocessor -> (your engine) -> tally_decoder -> tally_counter -> totals, events
 *
 * Rules that hold for every function:
 *  - It returns a tally_status. On any status but TALLY_OK the outputs are unspecified and, where a
 *    handle was given, tally_*_error(handle) tells what was wrong; the text lives until the next
 *    call on that handle. A handle stays usable after an error, its totals are unchanged.
 *  - A handle made by tally_*_create is owned by the caller and ends with tally_*_destroy (NULL is
 *    fine). Nothing else is owned by the caller; pointers passed in are only read during the call.
 *  - Different handles may be used from different threads at the same time; one handle may not.
 *  - Coordinates are pixels, origin top left, x right, y down, of the source picture after
 *    rotation. Times are capture times in nanoseconds. Arrays are given as pointer and length.
 *  - No function throws, prints, allocates on behalf of the caller or keeps global state.
 */
#ifndef TALLY_H
#define TALLY_H

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

typedef enum tally_status {
  TALLY_OK = 0,
  TALLY_INVALID_ARGUMENT = 1, /* a pointer, size or value is outside its bounds */
  TALLY_BUFFER_TOO_SMALL = 2, /* the caller's array cannot hold the result; the count is set */
  TALLY_OUT_OF_ORDER = 3,     /* a timestamp is not later than the one before */
  TALLY_OUT_OF_MEMORY = 4,
  TALLY_INTERNAL = 5,
  TALLY_BAD_STATE = 6 /* a saved state is damaged, or of another counter */
} tally_status;

/* "major.minor.patch" of this interface; static storage. */
TALLY_API const char* tally_version(void);

/* ---- frame to engine input --------------------------------------------------------------- */

typedef enum tally_pixel_format {
  TALLY_BGR = 0, /* 3 bytes a pixel */
  TALLY_RGB = 1,
  TALLY_BGRA = 2, /* 4 bytes a pixel, alpha ignored */
  TALLY_RGBA = 3,
  TALLY_NV12 = 4, /* plane 0 Y, plane 1 interleaved U V at half size; BT.601 video range */
  TALLY_NV21 = 5, /* plane 0 Y, plane 1 interleaved V U at half size */
  TALLY_I420 = 6  /* planes Y, U, V */
} tally_pixel_format;

typedef enum tally_dtype { TALLY_UINT8 = 0, TALLY_INT8 = 1, TALLY_FLOAT32 = 2 } tally_dtype;

typedef enum tally_layout { TALLY_NHWC = 0, TALLY_NCHW = 1 } tally_layout;

/* A picture as the camera gives it. `rotation` (0, 90, 180, 270 degrees clockwise) turns it
 * upright. Strides are bytes from row to row, at least one row's worth. */
typedef struct tally_image {
  const uint8_t* planes[3];
  size_t plane_bytes[3];
  int32_t strides[3];
  int32_t width;
  int32_t height;
  int32_t format;   /* tally_pixel_format */
  int32_t rotation; /* 0, 90, 180 or 270 */
} tally_image;

/* The engine's own input buffer, RGB. Element values: uint8 0..255, int8 the same minus 128,
 * float32 the same divided by 255. */
typedef struct tally_tensor {
  void* data;
  size_t bytes;
  int32_t width;
  int32_t height;
  int32_t dtype;  /* tally_dtype */
  int32_t layout; /* tally_layout */
} tally_tensor;

/* How source pixels map to input pixels: input = source * gain + pad. */
typedef struct tally_letterbox {
  float gain_x;
  float gain_y;
  int32_t pad_x;
  int32_t pad_y;
  int32_t source_width; /* after rotation */
  int32_t source_height;
} tally_letterbox;

typedef struct tally_preprocessor tally_preprocessor;

TALLY_API tally_status tally_preprocessor_create(tally_preprocessor** out);
TALLY_API void tally_preprocessor_destroy(tally_preprocessor* preprocessor);
TALLY_API const char* tally_preprocessor_error(const tally_preprocessor* preprocessor);

/* Rotate, scale (bilinear, aspect kept) and centre `image` on grey 114 into `input`. */
TALLY_API tally_status tally_preprocessor_run(tally_preprocessor* preprocessor,
                                              const tally_image* image, const tally_tensor* input,
                                              tally_letterbox* letterbox);

/* ---- raw heads to detections ------------------------------------------------------------- */

/* One YOLOv5 output before the sigmoid: num_anchors * (5 + num_classes) channels, anchor by anchor
 * x, y, w, h, objectness, classes. real = scale * (raw - zero_point) for integer dtypes. */
typedef struct tally_head {
  const void* data;
  size_t bytes;
  int32_t dtype;  /* tally_dtype */
  int32_t layout; /* tally_layout */
  int32_t width;  /* cells */
  int32_t height;
  int32_t stride; /* input pixels a cell */
  float scale;
  int32_t zero_point;
  const float* anchors; /* num_anchors pairs of width, height in input pixels */
  int32_t num_anchors;
} tally_head;

typedef struct tally_decoder_options {
  int32_t num_classes;
  float confidence;        /* least objectness * class score, 0..1 */
  float iou;               /* NMS: boxes of one class overlapping more are one object */
  float cross_class_iou;   /* the same for boxes of two classes; >= 1 keeps both (per-class NMS) */
  int32_t multi_label;     /* 0: best class of a box; 1: every class above the threshold */
  int32_t max_candidates;  /* the best so many enter NMS */
  int32_t max_detections;
} tally_decoder_options;

typedef struct tally_detection {
  float x1;
  float y1;
  float x2;
  float y2;
  float confidence;
  int32_t class_id;
} tally_detection;

typedef struct tally_decoder tally_decoder;

TALLY_API void tally_decoder_defaults(tally_decoder_options* options);
TALLY_API tally_status tally_decoder_create(const tally_decoder_options* options,
                                            tally_decoder** out);
TALLY_API void tally_decoder_destroy(tally_decoder* decoder);
TALLY_API const char* tally_decoder_error(const tally_decoder* decoder);

/* Decode and suppress; `out` holds at least max_detections, best first, in source pixels. */
TALLY_API tally_status tally_decoder_run(tally_decoder* decoder, const tally_head* heads,
                                         int32_t num_heads, const tally_letterbox* letterbox,
                                         tally_detection* out, int32_t capacity, int32_t* count);

/* ---- detections to counts ---------------------------------------------------------------- */

typedef enum tally_anchor {
  TALLY_BOTTOM_CENTRE = 0,
  TALLY_CENTRE = 1,
  TALLY_TOP_CENTRE = 2
} tally_anchor;

/* Every threshold is in seconds, in units of the object's own size, or a score: none depends on
 * the frame rate. */
typedef struct tally_counter_options {
  int32_t num_classes;
  int32_t frame_width; /* source pixels after rotation */
  int32_t frame_height;
  int32_t any_class;       /* 1: every detection is class 0, num_classes must be 1 */
  int32_t anchor;          /* tally_anchor: the point of a box that crosses lines */
  float low_confidence;    /* detections below are ignored */
  float high_confidence;   /* detections from here on can match any track */
  float new_confidence;    /* detections from here on can start a track */
  float confirm_s;         /* a track is an object once seen over this time ... */
  float confirm_confidence; /* ... with this mean confidence */
  float lost_s;            /* an unseen object is remembered this long */
  float edge_lost_s;       /* the same for one that was leaving the frame */
  float hysteresis;        /* an object has changed sides when this far behind the line, in sizes */
} tally_counter_options;

typedef struct tally_point {
  float x;
  float y;
} tally_point;

typedef struct tally_track {
  int64_t track_id;
  float x1;
  float y1;
  float x2;
  float y2;
  float confidence; /* of the detection matched in this frame */
  int32_t class_id; /* vote of the track's life */
} tally_track;

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
  int32_t place;             /* index of the line or zone, else -1 */
  float x;
  float y;
  float confidence;
  float age_s;
  float dwell_s; /* of `left`: how long the object stayed, else 0 */
} tally_event;

/* An object in a zone now. */
typedef struct tally_stay {
  int64_t track_id;
  int32_t class_id;
  float dwell_s; /* so far */
} tally_stay;

/* Why a total may be smaller than expected. */
typedef struct tally_diagnostics {
  int64_t frames;
  int64_t detections;           /* given to update */
  int64_t below_low_confidence; /* of these, too weak for anything */
  int64_t unconfirmed_tracks;   /* ended before they counted as objects */
  int64_t live_tracks;
  int64_t longest_gap_ns; /* between two frames */
  int64_t unlinked;       /* sightings too far from the one before to be of the same object */
  float needed_fps;       /* frame rate at which those would be near enough; 0 without any */
  float fastest;          /* of the objects that were followed, in own sizes a second */
  float longest_unconfirmed_s; /* of the tracks that ended before they counted */
  int64_t last_timestamp_ns; /* INT64_MIN before the first frame */
} tally_diagnostics;

typedef struct tally_counter tally_counter;

TALLY_API void tally_counter_defaults(tally_counter_options* options);
TALLY_API tally_status tally_counter_create(const tally_counter_options* options,
                                            tally_counter** out);
TALLY_API void tally_counter_destroy(tally_counter* counter);
TALLY_API const char* tally_counter_error(const tally_counter* counter);

/* Places are added before the first update. A line counts `in` from the left-hand to the right-hand
 * side of a walker going from a to b; it is a segment, or endless when `extend` is 1. A zone is any
 * simple polygon of 3 to 1000 corners. `index` receives the place's number from 0. */
TALLY_API tally_status tally_counter_add_line(tally_counter* counter, tally_point a, tally_point b,
                                              int32_t extend, int32_t* index);
TALLY_API tally_status tally_counter_add_zone(tally_counter* counter, const tally_point* corners,
                                              int32_t num_corners, int32_t* index);
/* Who stays in the zone for less than this is not counted there; 0 unless set. */
TALLY_API tally_status tally_counter_set_least_dwell(tally_counter* counter, int32_t zone,
                                                     float seconds);

/* Track and count one frame. Every frame is given, also one without detections. */
TALLY_API tally_status tally_counter_update(tally_counter* counter, int64_t timestamp_ns,
                                            const tally_detection* detections, int32_t count);

/* Confirmed tracks seen in the last frame. `count` is set also when `capacity` is too small. */
TALLY_API tally_status tally_counter_tracks(tally_counter* counter, tally_track* out,
                                            int32_t capacity, int32_t* count);

/* Take the events since the last call, oldest first. Those not taken are kept, up to 65536, the
 * oldest dropped first. */
TALLY_API tally_status tally_counter_take_events(tally_counter* counter, tally_event* out,
                                                 int32_t capacity, int32_t* count);

/* Totals by class; each array holds num_classes entries. */
TALLY_API tally_status tally_counter_unique(tally_counter* counter, int64_t* out, int32_t capacity);
TALLY_API tally_status tally_counter_line(tally_counter* counter, int32_t line, int64_t* in,
                                          int64_t* out, int32_t capacity);
TALLY_API tally_status tally_counter_zone(tally_counter* counter, int32_t zone, int64_t* now,
                                          int64_t* entered, int64_t* left, int32_t capacity);
/* Mean and longest stay so far in seconds, stays that go on included; 0 without any. */
TALLY_API tally_status tally_counter_dwell(tally_counter* counter, int32_t zone, double* mean_s,
                                           double* max_s);
/* Objects in the zone now, with their stays. `count` is set also when `capacity` is too small. */
TALLY_API tally_status tally_counter_present(tally_counter* counter, int32_t zone, tally_stay* out,
                                             int32_t capacity, int32_t* count);
/* Least distance in pixels that a confirmed track's anchor has come to the line; -1 without any. */
TALLY_API tally_status tally_counter_nearest(tally_counter* counter, int32_t line, float* distance);
TALLY_API tally_status tally_counter_diagnostics(tally_counter* counter, tally_diagnostics* out);
/* Detections given to update, by class; `out` holds num_classes entries. */
TALLY_API tally_status tally_counter_detected(tally_counter* counter, int64_t* out,
                                              int32_t capacity);

/* A period ends: totals and diagnostics begin again from zero. Objects go on under their numbers
 * and are not counted again, and who is in a zone stays in it. */
TALLY_API tally_status tally_counter_reset(tally_counter* counter);

/* Everything a counter knows, to go on later or elsewhere with the same counts. `size` is set also
 * when `capacity` is too small. */
TALLY_API tally_status tally_counter_save(tally_counter* counter, uint8_t* out, size_t capacity,
                                          size_t* size);
/* Take over what a counter of the same options and places saved. Anything else is refused with
 * TALLY_BAD_STATE, and the counter is as it was. */
TALLY_API tally_status tally_counter_restore(tally_counter* counter, const uint8_t* state,
                                             size_t size);

#ifdef __cplusplus
}
#endif

#endif /* TALLY_H */
