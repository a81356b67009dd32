// Frames to detections: letterbox, engine, decoding.
#include <memory>
#include <new>
#include <vector>

#include "frame_result.h"
#include "functions.h"
#include "image.h"
#include "tally_engine.h"

static_assert(sizeof(tally_letterbox) == 24);

namespace tally::jni {
namespace {

constexpr int kMaxHeads = 8;
constexpr size_t kHeadNumbers = 10;

struct Preprocessor {
  Preprocessor() { tally_preprocessor_create(&handle); }
  ~Preprocessor() { tally_preprocessor_destroy(handle); }
  Preprocessor(const Preprocessor&) = delete;
  Preprocessor& operator=(const Preprocessor&) = delete;
  tally_preprocessor* handle = nullptr;
};

struct Decoder {
  ~Decoder() { tally_decoder_destroy(handle); }
  tally_decoder* handle = nullptr;
};

/// An engine with letterbox before it and decoding after it.
struct Detector {
  tally_engine* engine = nullptr;  // owned by Kotlin, which keeps it open
  Preprocessor preprocessor;
  Decoder decoder;
  int32_t outputs[kMaxHeads] = {};
  tally_head heads[kMaxHeads] = {};
  std::vector<float> anchors[kMaxHeads];
  int32_t num_heads = 0;
  const char* error = "";
};

int32_t run_decoder(Detector* detector, const tally_letterbox& letterbox, FrameBuffer* out) {
  for (int32_t i = 0; i < detector->num_heads; ++i) {
    tally_engine_output output{};
    output.struct_size = sizeof output;
    const int32_t status = tally_engine_get_output(detector->engine, detector->outputs[i], &output);
    if (status != TALLY_OK) return status;
    detector->heads[i].data = output.data;
    detector->heads[i].bytes = output.bytes;
  }
  const int32_t status = tally_decoder_run(
      detector->decoder.handle, detector->heads, detector->num_heads, &letterbox, out->detections,
      out->result->detections_capacity, &out->result->num_detections);
  if (status != TALLY_OK) detector->error = tally_decoder_error(detector->decoder.handle);
  return status;
}

int32_t detect(Detector* detector, const tally_image& image, FrameBuffer* out) {
  Stopwatch watch;
  tally_tensor input{};
  input.struct_size = sizeof input;
  int32_t status = tally_engine_input(detector->engine, &input, nullptr, nullptr);
  if (status != TALLY_OK) {
    detector->error = tally_engine_error(detector->engine);
    return status;
  }
  tally_letterbox letterbox{};
  status = tally_preprocessor_run(detector->preprocessor.handle, &image, &input, &letterbox);
  if (status != TALLY_OK) {
    detector->error = tally_preprocessor_error(detector->preprocessor.handle);
    return status;
  }
  out->result->letterbox_ns = watch.lap();
  status = tally_engine_run(detector->engine);
  if (status != TALLY_OK) {
    detector->error = tally_engine_error(detector->engine);
    return status;
  }
  out->result->inference_ns = watch.lap();
  status = run_decoder(detector, letterbox, out);
  out->result->decode_ns = watch.lap();
  return status;
}

// heads, one after the other: output, dtype, layout, width, height, stride, scale, zero point,
// bins of a box side (0: anchors), number of anchors, then 2 floats for each anchor.
int32_t fill_heads(const Span& given, int32_t count, Detector* detector) {
  if (count < 1 || count > kMaxHeads) return TALLY_INVALID_ARGUMENT;
  size_t at = 0;
  for (int32_t i = 0; i < count; ++i) {
    const int32_t* numbers = given.as<int32_t>(at, kHeadNumbers);
    if (numbers == nullptr || numbers[9] < 0) return TALLY_INVALID_ARGUMENT;
    const auto floats = 2 * static_cast<size_t>(numbers[9]);
    at += kHeadNumbers * sizeof(int32_t);
    const auto* anchors = given.as<float>(at, floats);
    if (anchors == nullptr) return TALLY_INVALID_ARGUMENT;
    at += floats * sizeof(float);
    detector->outputs[i] = numbers[0];
    detector->anchors[i].assign(anchors, anchors + floats);
    tally_head& head = detector->heads[i];
    head.struct_size = sizeof head;
    head.dtype = numbers[1];
    head.layout = numbers[2];
    head.width = numbers[3];
    head.height = numbers[4];
    head.stride = numbers[5];
    std::memcpy(&head.scale, &numbers[6], sizeof head.scale);
    head.zero_point = numbers[7];
    head.reg_max = numbers[8];
    head.num_anchors = numbers[9];
    head.anchors = detector->anchors[i].data();
  }
  detector->num_heads = count;
  return TALLY_OK;
}

jint detectorCreate(JNIEnv* env, Class, jlong engine, jobject heads, jint count, jobject options,
                    jobject out) try {
  const Span given(env, heads), wanted(env, options), result(env, out);
  const auto* decoder_options = wanted.as<tally_decoder_options>(0);
  if (decoder_options == nullptr || result.bytes < 8) return TALLY_INVALID_ARGUMENT;
  auto detector = std::make_unique<Detector>();
  detector->engine = pointer<tally_engine>(engine);
  if (detector->preprocessor.handle == nullptr) return TALLY_OUT_OF_MEMORY;
  result.data[0] = 0;
  int32_t status = fill_heads(given, count, detector.get());
  if (status != TALLY_OK) return status;
  status = tally_decoder_create(decoder_options, &detector->decoder.handle,
                                reinterpret_cast<char*>(result.data), result.bytes);
  return status == TALLY_OK ? created(status, detector.release(), result) : status;
} catch (const std::bad_alloc&) {
  return TALLY_OUT_OF_MEMORY;
}

void detectorDestroy(JNIEnv*, Class, jlong detector) { delete pointer<Detector>(detector); }

jstring detectorError(JNIEnv* env, Class, jlong detector) {
  return text(env, pointer<Detector>(detector)->error);
}

jint decoderDefaults(JNIEnv* env, Class, jobject out) {
  auto* options = Span(env, out).as<tally_decoder_options>(0);
  if (options == nullptr) return TALLY_INVALID_ARGUMENT;
  options->struct_size = sizeof *options;
  return tally_decoder_defaults(options);
}

jint detectFrame(JNIEnv* env, Class, jlong detector, jobject image, jobject y, jobject u, jobject v,
                 jobject out) {
  FrameBuffer result(Span(env, out));
  tally_image frame{};
  if (result.result == nullptr || !read_image(env, image, {y, u, v}, &frame))
    return TALLY_INVALID_ARGUMENT;
  return detect(pointer<Detector>(detector), frame, &result);
}

jint countFrame(JNIEnv* env, Class, jlong detector, jlong counter, jobject image, jobject y,
                jobject u, jobject v, jlong timestamp, jobject out) {
  FrameBuffer result(Span(env, out));
  tally_image frame{};
  if (result.result == nullptr || !read_image(env, image, {y, u, v}, &frame))
    return TALLY_INVALID_ARGUMENT;
  auto* model = pointer<Detector>(detector);
  model->error = nullptr;
  int32_t status = detect(model, frame, &result);
  if (status != TALLY_OK) return status;
  auto* totals = pointer<tally_counter>(counter);
  Stopwatch watch;
  status =
      tally_counter_update(totals, timestamp, result.detections, result.result->num_detections);
  if (status == TALLY_OK) status = take(totals, &result);
  if (status != TALLY_OK) model->error = tally_counter_error(totals);
  result.result->count_ns = watch.lap();
  return status;
}

// The preprocessor and the decoder alone, for the conformance vectors.

// tensor: dtype, layout, width, height, bytes per row (0: packed), channels; out: the letterbox, or
// the error.
jint preprocess(JNIEnv* env, Class, jobject image, jobject y, jobject u, jobject v, jobject tensor,
                jobject pixels, jobject out) {
  const Span memory(env, pixels), result(env, out);
  const int32_t* given = Span(env, tensor).as<int32_t>(0, 6);
  auto* letterbox = result.as<tally_letterbox>(0);
  tally_image frame{};
  if (given == nullptr || letterbox == nullptr || !read_image(env, image, {y, u, v}, &frame))
    return TALLY_INVALID_ARGUMENT;
  tally_tensor input{};
  input.struct_size = sizeof input;
  input.dtype = given[0];
  input.layout = given[1];
  input.width = given[2];
  input.height = given[3];
  if (given[4] < 0) return TALLY_INVALID_ARGUMENT;
  input.row_bytes = static_cast<size_t>(given[4]);
  input.channels = given[5];
  input.data = memory.data;
  input.bytes = memory.bytes;
  const Preprocessor preprocessor;
  const int32_t status = tally_preprocessor_run(preprocessor.handle, &frame, &input, letterbox);
  if (status != TALLY_OK)
    std::strncpy(reinterpret_cast<char*>(result.data),
                 tally_preprocessor_error(preprocessor.handle), result.bytes - 1);
  return status;
}

// letterbox: tally_letterbox; raw: one buffer for each head, in the order of `heads`.
jint decode(JNIEnv* env, Class, jobject heads, jint count, jobjectArray raw, jobject letterbox,
            jobject options, jobject out) try {
  const FrameBuffer result(Span(env, out));
  const auto* map = Span(env, letterbox).as<tally_letterbox>(0);
  const auto* wanted = Span(env, options).as<tally_decoder_options>(0);
  Detector detector;
  if (result.result == nullptr || map == nullptr || wanted == nullptr ||
      env->GetArrayLength(raw) != count ||
      fill_heads(Span(env, heads), count, &detector) != TALLY_OK)
    return TALLY_INVALID_ARGUMENT;
  for (int32_t i = 0; i < count; ++i) {
    const Span bytes(env, env->GetObjectArrayElement(raw, i));
    detector.heads[i].data = bytes.data;
    detector.heads[i].bytes = bytes.bytes;
  }
  const int32_t status = tally_decoder_create(wanted, &detector.decoder.handle, nullptr, 0);
  if (status != TALLY_OK) return status;
  return tally_decoder_run(detector.decoder.handle, detector.heads, count, map, result.detections,
                           result.result->detections_capacity, &result.result->num_detections);
} catch (const std::bad_alloc&) {
  return TALLY_OUT_OF_MEMORY;
}

const JNINativeMethod kFunctions[] = {
    FUNCTION(detectorCreate, "(J" BUFFER "I" BUFFER BUFFER ")I"),
    FUNCTION(detectorDestroy, "(J)V"),
    FUNCTION(detectorError, "(J)" STRING),
    FUNCTION(decoderDefaults, "(" BUFFER ")I"),
    FUNCTION(detectFrame, "(J" FRAME BUFFER ")I"),
    FUNCTION(countFrame, "(JJ" FRAME "J" BUFFER ")I"),
    FUNCTION(preprocess, "(" FRAME BUFFER BUFFER BUFFER ")I"),
    FUNCTION(decode, "(" BUFFER "I[" BUFFER BUFFER BUFFER BUFFER ")I"),
};

}  // namespace

Table detector_functions() { return {kFunctions, sizeof kFunctions / sizeof *kFunctions}; }

}  // namespace tally::jni
