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

/* Version of this header; tally_version() is that of the library. */
#define TALLY_VERSION "0.2.0"

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

/* ---- frame to engine input --------------------------------------------------------------- */

typedef enum tally_pixel_format {
  TALLY_BGR = 0, /* 3 bytes per pixel */
  TALLY_RGB = 1,
  TALLY_BGRA = 2, /* 4 bytes per pixel, alpha ignored */
  TALLY_RGBA = 3,
  TALLY_NV12 = 4, /* plane 0 Y, plane 1 interleaved U V at half size */
  TALLY_NV21 = 5, /* plane 0 Y, plane 1 interleaved V U at half size */
  TALLY_I420 = 6  /* planes Y, U, V, chroma at half size; with chroma_step any YUV_420_888 */
} tally_pixel_format;

/* The values that black and white have in a YUV frame. */
typedef enum tally_yuv_range {
  TALLY_VIDEO_RANGE = 0, /* Y 16..235, chroma 16..240 */
  TALLY_FULL_RANGE = 1   /* 0..255: JPEG, most cameras of phones */
} tally_yuv_range;

/* The weights of red, green and blue in Y. */
typedef enum tally_yuv_matrix { TALLY_BT601 = 0, TALLY_BT709 = 1 } tally_yuv_matrix;

/* Inputs are uint8, int8 or float32. */
typedef enum tally_dtype {
  TALLY_UINT8 = 0,
  TALLY_INT8 = 1,
  TALLY_FLOAT32 = 2,
  TALLY_FLOAT16 = 3 /* heads only */
} tally_dtype;

typedef enum tally_layout { TALLY_NHWC = 0, TALLY_NCHW = 1 } tally_layout;

/* A frame as the camera gives it. `rotation` (0, 90, 180, 270 degrees clockwise) turns it
 * upright. Strides are bytes from row to row, at least the bytes of one row; after its last row a
 * plane may end. The chroma plane of NV12 and NV21 may also lack its very last byte, as those of
 * Android do: that sample is then the one of the pair before it. */
typedef struct tally_image {
  uint32_t struct_size;
  int32_t format; /* tally_pixel_format */
  int32_t width;
  int32_t height;
  int32_t rotation; /* 0, 90, 180 or 270 */
  int32_t strides[3];
  const uint8_t* planes[3];
  size_t plane_bytes[3];
  int32_t chroma_step; /* I420: bytes from sample to sample of U and of V, 1 to 16; 0 is 1 */
  int32_t yuv_range;   /* tally_yuv_range */
  int32_t yuv_matrix;  /* tally_yuv_matrix */
  int32_t reserved;    /* 0 */
} tally_image;

/* Order of the channels of an input. */
typedef enum tally_channels {
  TALLY_CHANNELS_RGB = 0,
  TALLY_CHANNELS_BGRA = 1 /* 4 bytes per pixel, alpha 255; uint8 and NHWC only */
} tally_channels;

/* The engine's own input buffer. Element values: uint8 0..255, int8 the same minus 128, float32
 * the same divided by 255. */
typedef struct tally_tensor {
  uint32_t struct_size;
  int32_t dtype;  /* tally_dtype */
  int32_t layout; /* tally_layout */
  int32_t width;
  int32_t height;
  void* data;
  size_t bytes;     /* exactly those of its shape; at least those of its rows with row_bytes */
  size_t row_bytes; /* from row to row, what is between is left alone; 0: no bytes between */
  int32_t channels; /* tally_channels */
  int32_t reserved; /* 0 */
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

/* Make a preprocessor; it keeps buffers for frames of one size and adapts when the size changes. */
TALLY_API tally_status tally_preprocessor_create(tally_preprocessor** out);

/* Free a preprocessor. */
TALLY_API void tally_preprocessor_destroy(tally_preprocessor* preprocessor);

/* What was wrong in the last call on this handle that failed. */
TALLY_API const char* tally_preprocessor_error(const tally_preprocessor* preprocessor);

/* Rotate, scale (bilinear, aspect kept) and center `image` on gray 114 into `input`; `letterbox`
 * receives the mapping that tally_decoder_run needs. */
TALLY_API tally_status tally_preprocessor_run(tally_preprocessor* preprocessor,
                                              const tally_image* image, const tally_tensor* input,
                                              tally_letterbox* letterbox);

/* ---- raw head outputs to detections ------------------------------------------------------ */

/* What an output holds. */
typedef enum tally_decoded {
  TALLY_LOGITS = 0,       /* a head before the sigmoid */
  TALLY_SCORED_BOXES = 1, /* boxes, each center x, center y, width, height, objectness, classes */
  TALLY_CLASS_BOXES = 2   /* boxes, each center x, center y, width, height, classes */
} tally_decoded;

/* One output. real = scale * (raw - zero_point) for integer dtypes.
 * Logits, as tallylens writes them:
 * reg_max 0 (YOLOv5): num_anchors * (5 + num_classes) channels, for each anchor x, y, w, h,
 * objectness, classes; before the sigmoid. reg_max above 0 (YOLOv5u, YOLOv8, YOLO11): 4 * reg_max +
 * num_classes channels, for each of left, top, right, bottom the logits of its distance of 0 to
 * reg_max - 1 cells from the middle of the cell, then classes; anchors and num_anchors are not
 * read. Boxes that the model has decoded, as exporters of others write them: all of them are the
 * cells of one row, so that (1, boxes, channels) is TALLY_NHWC and (1, channels, boxes) is
 * TALLY_NCHW, and height is 1. 1 in x and width is unit_x input pixels, in y and height unit_y: 1
 * and 1, or the input's width and height. stride, anchors and reg_max are not read. Strides are for
 * engines that pad their outputs: channel c of the cell (x, y) is element y * row_stride + x *
 * column_stride + c * channel_stride. One that is 0 is as `layout` says, without padding. */
typedef struct tally_head {
  uint32_t struct_size; /* the same in all heads of a call */
  int32_t dtype;        /* tally_dtype */
  int32_t layout;       /* tally_layout */
  int32_t width;        /* cells */
  int32_t height;
  int32_t stride; /* input pixels per cell */
  float scale;
  int32_t zero_point;
  const void* data;
  size_t bytes;         /* exactly those of its shape; at least those it spans with strides */
  const float* anchors; /* num_anchors pairs of width, height in input pixels */
  int32_t num_anchors;
  int32_t reg_max;        /* 0, or the 2 to 64 bins of a box side */
  int64_t row_stride;     /* elements from row to row */
  int64_t column_stride;  /* elements from cell to cell of a row */
  int64_t channel_stride; /* elements from channel to channel */
  int32_t decoded;        /* tally_decoded */
  int32_t extra_channels; /* boxes: channels after the classes, not read (masks, points) */
  float unit_x;           /* boxes: input pixels */
  float unit_y;
} tally_head;

typedef struct tally_decoder_options {
  uint32_t struct_size;
  int32_t num_classes;
  float confidence;       /* minimum objectness * class score, or class score, 0..1 */
  float iou;              /* NMS: boxes of one class that overlap more are one object */
  float cross_class_iou;  /* the same for boxes of two classes; >= 1 keeps both (per-class NMS) */
  int32_t multi_label;    /* 0: best class of a box; 1: every class above the threshold */
  int32_t max_candidates; /* at most this many of the best boxes enter NMS */
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

/* Fill `options` with the defaults, as far as options->struct_size says. */
TALLY_API tally_status tally_decoder_defaults(tally_decoder_options* options);

/* Make a decoder. If options are refused, `error` receives the reason as text that ends in NUL,
 * cut to `capacity` bytes; NULL and 0 to do without. */
TALLY_API tally_status tally_decoder_create(const tally_decoder_options* options,
                                            tally_decoder** out, char* error, size_t capacity);

/* Free a decoder. */
TALLY_API void tally_decoder_destroy(tally_decoder* decoder);

/* What was wrong in the last call on this handle that failed. */
TALLY_API const char* tally_decoder_error(const tally_decoder* decoder);

/* Decode and suppress; `out` holds at least max_detections, most confident first, in source
 * pixels. `count` is set also when `capacity` is too small. */
TALLY_API tally_status tally_decoder_run(tally_decoder* decoder, const tally_head* heads,
                                         int32_t num_heads, const tally_letterbox* letterbox,
                                         tally_detection* out, int32_t capacity, int32_t* count);

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

/* Why totals are zero, or smaller than expected; none if everything was counted as asked. `seconds`
 * is the capture time from the first frame to the last. `count` is set also when `capacity` is too
 * small. */
TALLY_API tally_status tally_counter_findings(tally_counter* counter, double seconds,
                                              tally_finding* out, int32_t capacity, int32_t* count);

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

/* ---- model files -------------------------------------------------------------------------
 *
 * Interpreters trust a model's content: a zero point out of range, or a buffer that is shorter than
 * its tensor's shape, ends the process. Open every file here first, then give the same bytes to
 * the interpreter. */

/* An input or output of a model. */
typedef struct tally_model_tensor {
  uint32_t struct_size;
  int32_t dtype;    /* tally_dtype; -1 for another */
  int32_t rank;     /* number of dimensions, at most 8 */
  int32_t shape[8]; /* as stored; of heads 1, height, width, channels */
  int32_t zero_point;
  float scale;      /* 0 if it is not quantized */
  const char* name; /* lives as long as the model */
} tally_model_tensor;

typedef struct tally_model tally_model;

/* Check the content of a .tflite file: bounds of every table and vector, tensors, quantization and
 * data flow. With `need_document` 1 a model without tallylens metadata is refused with
 * TALLY_UNSUPPORTED_MODEL, as custom operators are; damaged files with TALLY_BAD_MODEL. If it is
 * refused, `error` receives the reason as text that ends in NUL, cut to `capacity` bytes; NULL and
 * 0 to do without. */
TALLY_API tally_status tally_model_open(const uint8_t* data, size_t size, int32_t need_document,
                                        tally_model** out, char* error, size_t capacity);

/* Free a model. */
TALLY_API void tally_model_destroy(tally_model* model);

/* What was wrong in the last call on this handle that failed. */
TALLY_API const char* tally_model_error(const tally_model* model);

/* The metadata: one JSON document in UTF-8 of at most 1 MiB, without a NUL. It lives as long as the
 * model; NULL and 0 if there is none. */
TALLY_API tally_status tally_model_document(tally_model* model, const char** document,
                                            size_t* size);

/* Number of inputs and outputs. */
TALLY_API tally_status tally_model_counts(tally_model* model, int32_t* inputs, int32_t* outputs);

/* One input, by position; set out->struct_size first. */
TALLY_API tally_status tally_model_input(tally_model* model, int32_t index,
                                         tally_model_tensor* out);

/* One output, by position; set out->struct_size first. */
TALLY_API tally_status tally_model_output(tally_model* model, int32_t index,
                                          tally_model_tensor* out);

/* Rewrite the sizes inside a .tflite file, in place, so that its input of old_width x old_height
 * can be new_width x new_height, for example a rectangle like the frames'. The weights stay.
 * Set the new input shape in the interpreter, which carries it through the graph. A model that
 * depends on its input size is refused with TALLY_UNSUPPORTED_MODEL, and unchanged. */
TALLY_API tally_status tally_model_resize(uint8_t* data, size_t size, int32_t old_width,
                                          int32_t old_height, int32_t new_width,
                                          int32_t new_height);

#ifdef __cplusplus
}
#endif

#endif /* TALLY_H */
