/* What is in a model file; see tally.h. */
#ifndef TALLY_MODEL_H
#define TALLY_MODEL_H

#include "tally_status.h"

#ifdef __cplusplus
extern "C" {
#endif

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

#endif /* TALLY_MODEL_H */
