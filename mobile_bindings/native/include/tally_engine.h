/* tally_engine.h: inference for the counting core on phones, behind one C interface.
 *
 * model file -> tally_engine -> input (tally_tensor), run, outputs -> heads of tally_decoder_run
 *
 * The rules of tally.h hold here too: a status from each function, handles owned by the caller,
 * structs that start with `struct_size`, no exception, no output, different handles on different
 * threads. The engine is LiteRT, found at run time with dlopen: nothing is linked, so that the
 * LiteRT that an app ships is the one that is used.
 */
#ifndef TALLY_ENGINE_H
#define TALLY_ENGINE_H

#include "tally.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a call returns beside TALLY_OK, TALLY_INVALID_ARGUMENT, TALLY_OUT_OF_MEMORY and
 * TALLY_UNSUPPORTED_SIZE of tally_status. */
typedef enum tally_engine_status {
  TALLY_ENGINE_MISSING = 100,     /* no LiteRT library, or it lacks a function */
  TALLY_ENGINE_UNSUPPORTED = 101, /* a LiteRT version outside the tested range */
  TALLY_ENGINE_BAD_MODEL = 102,   /* LiteRT refuses the model, or it has not the shape of one */
  TALLY_ENGINE_FAILED = 103       /* an inference failed */
} tally_engine_status;

/* The processor that is asked for. Operators that it cannot run are run on the CPU. */
typedef enum tally_accelerator {
  TALLY_ENGINE_CPU = 0,
  TALLY_ENGINE_GPU = 1,
  TALLY_ENGINE_NPU = 2
} tally_accelerator;

typedef struct tally_engine_options {
  uint32_t struct_size;
  int32_t accelerator;  /* tally_accelerator */
  int32_t num_threads;  /* of the CPU, 1..64 */
  int32_t input_width;  /* pixels; 0 for the model's own */
  int32_t input_height; /* pixels; 0 for the model's own */
  int32_t borrow_model; /* 1: `model` stays valid until tally_engine_destroy; 0: it is copied */
  const char* library;  /* path or name of the LiteRT library; NULL for the platform's name */
} tally_engine_options;

/* One output tensor of the model, packed, in the model's own order. */
typedef struct tally_engine_output {
  uint32_t struct_size;
  int32_t dtype;         /* tally_dtype */
  int32_t rank;          /* 1..8 */
  int32_t dimensions[8]; /* the first `rank` */
  float scale;           /* real = scale * (raw - zero_point) for integer dtypes, else 1 and 0 */
  int32_t zero_point;
  const char* name; /* until tally_engine_destroy */
  const void* data; /* until the next call on the engine; NULL before the first run */
  size_t bytes;
} tally_engine_output;

typedef struct tally_engine tally_engine;

/* Fill `options` with the defaults, as far as options->struct_size says. */
TALLY_API int32_t tally_engine_defaults(tally_engine_options* options);

/* Load a model of `bytes` bytes, which tally_model has checked: LiteRT ends the process on some
 * damaged files. If it is refused, `error` receives the reason as text that ends in NUL, cut to
 * `capacity` bytes; NULL and 0 to do without. */
TALLY_API int32_t tally_engine_open(const void* model, size_t bytes,
                                    const tally_engine_options* options, tally_engine** out,
                                    char* error, size_t capacity);

/* Free an engine; NULL is allowed. */
TALLY_API void tally_engine_destroy(tally_engine* engine);

/* What was wrong in the last call on this handle that failed. */
TALLY_API const char* tally_engine_error(const tally_engine* engine);

/* What runs the model, for reports: "litert-xnnpack", "litert-gpu", "litert-npu", or
 * "litert-gpu (partly cpu)". */
TALLY_API const char* tally_engine_name(const tally_engine* engine);

/* A sentence if the model does not run entirely on the processor that was asked for, else NULL. */
TALLY_API const char* tally_engine_warning(const tally_engine* engine);

/* The input buffer to write the next frame into; set input->struct_size first. Its quantization is
 * in `scale` and `zero_point` (1 and 0 for float32), which may be NULL. */
TALLY_API int32_t tally_engine_input(tally_engine* engine, tally_tensor* input, float* scale,
                                     int32_t* zero_point);

/* One inference. */
TALLY_API int32_t tally_engine_run(tally_engine* engine);

/* The number of outputs. */
TALLY_API int32_t tally_engine_num_outputs(const tally_engine* engine);

/* Output number `index`; set out->struct_size first. */
TALLY_API int32_t tally_engine_get_output(const tally_engine* engine, int32_t index,
                                          tally_engine_output* out);

/* A sentence about a tally_engine_status or tally_status; NULL for an unknown one; static. */
TALLY_API const char* tally_engine_status_text(int32_t status);

#ifdef __cplusplus
}
#endif

#endif /* TALLY_ENGINE_H */
