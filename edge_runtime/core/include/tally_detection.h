/* From frames to engine inputs, and from head outputs to detections; see tally.h. */
#ifndef TALLY_DETECTION_H
#define TALLY_DETECTION_H

#include "tally_status.h"

#ifdef __cplusplus
extern "C" {
#endif

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

#ifdef __cplusplus
}
#endif

#endif /* TALLY_DETECTION_H */
