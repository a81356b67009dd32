// tally.h and tally_engine.h for io.tallylens.internal.Native: conversions only, no decision.
//
// Structs travel in direct buffers in the machine's byte order. Those without pointers have the
// layout of tally.h, which is the same on all 32-bit and 64-bit ABIs of Android (asserted below);
// images and heads are given as plain numbers beside the buffers that hold their bytes.
// A create function writes the handle as 8 bytes to `out`, or the error as text that ends in NUL.
#include <jni.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "tally.h"
#include "tally_engine.h"

static_assert(sizeof(tally_detection) == 24 && sizeof(tally_track) == 32);
static_assert(sizeof(tally_event) == 56 && sizeof(tally_visit) == 16);
static_assert(sizeof(tally_level_change) == 32 && sizeof(tally_governor_state) == 32);
static_assert(sizeof(tally_governor_options) == 24 && sizeof(tally_letterbox) == 24);

namespace {

constexpr int kMaxHeads = 8;

/// Memory of a direct buffer; empty for null.
struct Span {
  Span(JNIEnv* env, jobject buffer) {
    if (buffer == nullptr) return;
    data = static_cast<uint8_t*>(env->GetDirectBufferAddress(buffer));
    if (data != nullptr) bytes = static_cast<size_t>(env->GetDirectBufferCapacity(buffer));
  }
  template <typename T>
  T* as(size_t offset, size_t count = 1) const {
    if (offset > bytes || count > (bytes - offset) / sizeof(T)) return nullptr;
    return reinterpret_cast<T*>(data + offset);
  }
  uint8_t* data = nullptr;
  size_t bytes = 0;
};

template <typename Handle>
Handle* pointer(jlong handle) {
  return reinterpret_cast<Handle*>(static_cast<intptr_t>(handle));
}

jlong handle_of(const void* made) { return static_cast<jlong>(reinterpret_cast<intptr_t>(made)); }

/// The handle that a create function made, or nothing: its error text is in `out` already.
jint created(int32_t status, const void* made, const Span& out) {
  if (status != TALLY_OK) return status;
  const jlong handle = handle_of(made);
  std::memcpy(out.data, &handle, sizeof handle);
  return TALLY_OK;
}

jstring text(JNIEnv* env, const char* chars) {
  // Modified UTF-8 has no 4-byte forms: anything else goes through bytes, see tensor names.
  return chars != nullptr ? env->NewStringUTF(chars) : nullptr;
}

/// A Java string as UTF-8, or null.
class Utf8 {
 public:
  Utf8(JNIEnv* env, jstring string) : env_(env), string_(string) {
    if (string != nullptr) chars_ = env->GetStringUTFChars(string, nullptr);
  }
  ~Utf8() {
    if (chars_ != nullptr) env_->ReleaseStringUTFChars(string_, chars_);
  }
  Utf8(const Utf8&) = delete;
  Utf8& operator=(const Utf8&) = delete;
  const char* get() const { return chars_; }

 private:
  JNIEnv* env_;
  jstring string_;
  const char* chars_ = nullptr;
};

// ---- frames ------------------------------------------------------------------------------------

enum ImageField {
  kFormat,
  kWidth,
  kHeight,
  kRotation,
  kStride,  // three of each
  kOffset = kStride + 3,
  kChromaStep = kOffset + 3,
  kRange,
  kMatrix,
  kImageFields
};

bool read_image(JNIEnv* env, jobject fields, const jobject (&planes)[3], tally_image* image) {
  const int32_t* given = Span(env, fields).as<int32_t>(0, kImageFields);
  if (given == nullptr) return false;
  *image = {};
  image->struct_size = sizeof(tally_image);
  image->format = given[kFormat];
  image->width = given[kWidth];
  image->height = given[kHeight];
  image->rotation = given[kRotation];
  image->chroma_step = given[kChromaStep];
  image->yuv_range = given[kRange];
  image->yuv_matrix = given[kMatrix];
  for (int i = 0; i < 3; ++i) {
    const Span plane(env, planes[i]);
    const int32_t offset = given[kOffset + i];
    if (offset < 0 || (plane.data != nullptr && static_cast<size_t>(offset) > plane.bytes))
      return false;
    image->strides[i] = given[kStride + i];
    if (plane.data == nullptr) continue;
    image->planes[i] = plane.data + offset;
    image->plane_bytes[i] = plane.bytes - static_cast<size_t>(offset);
  }
  return true;
}

// ---- frame to detections -----------------------------------------------------------------------

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

/// What a frame gave, at the start of the buffer that Kotlin reads; arrays follow at offsets.
struct FrameResult {
  int32_t num_detections;
  int32_t num_tracks;
  int32_t num_events;
  int32_t detections_capacity;  // the three capacities are given by Kotlin
  int32_t tracks_capacity;
  int32_t events_capacity;
  int64_t letterbox_ns;
  int64_t inference_ns;
  int64_t decode_ns;
  int64_t count_ns;
};
static_assert(sizeof(FrameResult) == 56);

/// The buffer of a frame's result, with its three arrays.
struct FrameBuffer {
  explicit FrameBuffer(const Span& out) {
    result = out.as<FrameResult>(0);
    if (result == nullptr) return;
    const auto count = [](int32_t capacity) { return static_cast<size_t>(capacity); };
    if (result->detections_capacity < 0 || result->tracks_capacity < 0 ||
        result->events_capacity < 0) {
      result = nullptr;
      return;
    }
    size_t offset = sizeof(FrameResult);
    detections = out.as<tally_detection>(offset, count(result->detections_capacity));
    offset += count(result->detections_capacity) * sizeof(tally_detection);
    tracks = out.as<tally_track>(offset, count(result->tracks_capacity));
    offset += count(result->tracks_capacity) * sizeof(tally_track);
    events = out.as<tally_event>(offset, count(result->events_capacity));
    if (detections == nullptr || tracks == nullptr || events == nullptr) result = nullptr;
  }
  FrameResult* result = nullptr;
  tally_detection* detections = nullptr;
  tally_track* tracks = nullptr;
  tally_event* events = nullptr;
};

/// Nanoseconds between two calls.
class Stopwatch {
 public:
  int64_t lap() {
    const auto now = std::chrono::steady_clock::now();
    const auto passed = std::chrono::duration_cast<std::chrono::nanoseconds>(now - last_);
    last_ = now;
    return passed.count();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
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

int32_t take(tally_counter* counter, FrameBuffer* out) {
  FrameResult* result = out->result;
  const int32_t status =
      tally_counter_tracks(counter, out->tracks, result->tracks_capacity, &result->num_tracks);
  if (status != TALLY_OK) return status;
  return tally_counter_take_events(counter, out->events, result->events_capacity,
                                   &result->num_events);
}

// ---- the functions of io.tallylens.internal.Native ----------------------------------------------

using Class = jclass;

jstring version(JNIEnv* env, Class) { return text(env, tally_version()); }

jstring statusText(JNIEnv* env, Class, jint status) {
  return text(env, tally_engine_status_text(status));
}

jstring reasonName(JNIEnv* env, Class, jint reason) { return text(env, tally_reason_name(reason)); }

jstring reasonText(JNIEnv* env, Class, jint reason) { return text(env, tally_reason_text(reason)); }

jstring eventKindName(JNIEnv* env, Class, jint kind) {
  return text(env, tally_event_kind_name(kind));
}

// Checks the model. The size of its document, whose bytes are in `out`, or a negative status, whose
// error is there.
jint modelDocument(JNIEnv* env, Class, jobject model, jlong bytes, jobject out) {
  const Span file(env, model), result(env, out);
  if (bytes < 0 || static_cast<size_t>(bytes) > file.bytes || result.bytes == 0)
    return -TALLY_INVALID_ARGUMENT;
  tally_model* opened = nullptr;
  int32_t status = tally_model_open(file.data, static_cast<size_t>(bytes), 1, &opened,
                                    reinterpret_cast<char*>(result.data), result.bytes);
  if (status != TALLY_OK) return -status;
  const char* document = nullptr;
  size_t size = 0;
  status = tally_model_document(opened, &document, &size);
  if (status == TALLY_OK && size > result.bytes) status = TALLY_BUFFER_TOO_SMALL;
  if (status == TALLY_OK) std::memcpy(result.data, document, size);
  tally_model_destroy(opened);
  return status == TALLY_OK ? static_cast<jint>(size) : -status;
}

// Changes the sizes inside the model, in place, for another input size; see tally_model_resize.
jint modelResize(JNIEnv* env, Class, jobject model, jint old_width, jint old_height, jint new_width,
                 jint new_height) {
  const Span file(env, model);
  return tally_model_resize(file.data, file.bytes, old_width, old_height, new_width, new_height);
}

jint engineOpen(JNIEnv* env, Class, jobject model, jlong bytes, jobject options, jstring library,
                jobject out) {
  const Span file(env, model), result(env, out);
  const int32_t* given = Span(env, options).as<int32_t>(0, 4);
  if (given == nullptr || result.bytes < 8 || bytes < 0 || static_cast<size_t>(bytes) > file.bytes)
    return TALLY_INVALID_ARGUMENT;
  const Utf8 path(env, library);
  tally_engine_options wanted{};
  wanted.struct_size = sizeof wanted;
  tally_engine_defaults(&wanted);
  wanted.accelerator = given[0];
  wanted.num_threads = given[1];
  wanted.input_width = given[2];
  wanted.input_height = given[3];
  wanted.borrow_model = 1;  // Kotlin keeps the buffer
  wanted.library = path.get();
  tally_engine* engine = nullptr;
  const int32_t status = tally_engine_open(file.data, static_cast<size_t>(bytes), &wanted, &engine,
                                           reinterpret_cast<char*>(result.data), result.bytes);
  return created(status, engine, result);
}

void engineDestroy(JNIEnv*, Class, jlong engine) {
  tally_engine_destroy(pointer<tally_engine>(engine));
}

jstring engineName(JNIEnv* env, Class, jlong engine) {
  return text(env, tally_engine_name(pointer<tally_engine>(engine)));
}

jstring engineWarning(JNIEnv* env, Class, jlong engine) {
  return text(env, tally_engine_warning(pointer<tally_engine>(engine)));
}

// out: dtype, width, height, scale, zero point, number of outputs.
jint engineInput(JNIEnv* env, Class, jlong engine, jobject out) {
  const Span result(env, out);
  auto* numbers = result.as<int32_t>(0, 6);
  if (numbers == nullptr) return TALLY_INVALID_ARGUMENT;
  auto* opened = pointer<tally_engine>(engine);
  tally_tensor input{};
  input.struct_size = sizeof input;
  float scale = 1;
  const int32_t status = tally_engine_input(opened, &input, &scale, &numbers[4]);
  numbers[0] = input.dtype;
  numbers[1] = input.width;
  numbers[2] = input.height;
  std::memcpy(&numbers[3], &scale, sizeof scale);
  numbers[5] = tally_engine_num_outputs(opened);
  return status;
}

// out: dtype, rank, 8 dimensions, scale, zero point, bytes of the name, the name.
jint engineOutput(JNIEnv* env, Class, jlong engine, jint index, jobject out) {
  const Span result(env, out);
  auto* numbers = result.as<int32_t>(0, 13);
  if (numbers == nullptr) return TALLY_INVALID_ARGUMENT;
  tally_engine_output output{};
  output.struct_size = sizeof output;
  const int32_t status = tally_engine_get_output(pointer<tally_engine>(engine), index, &output);
  if (status != TALLY_OK) return status;
  numbers[0] = output.dtype;
  numbers[1] = output.rank;
  std::memcpy(&numbers[2], output.dimensions, sizeof output.dimensions);
  std::memcpy(&numbers[10], &output.scale, sizeof output.scale);
  numbers[11] = output.zero_point;
  const size_t length = std::strlen(output.name), room = result.bytes - 13 * sizeof(int32_t);
  numbers[12] = static_cast<int32_t>(length < room ? length : room);
  std::memcpy(&numbers[13], output.name, static_cast<size_t>(numbers[12]));
  return TALLY_OK;
}

// heads, one after the other: output, dtype, layout, width, height, stride, scale, zero point,
// number of anchors, then 2 floats for each anchor.
int32_t fill_heads(const Span& given, int32_t count, Detector* detector) {
  if (count < 1 || count > kMaxHeads) return TALLY_INVALID_ARGUMENT;
  size_t at = 0;
  for (int32_t i = 0; i < count; ++i) {
    const int32_t* numbers = given.as<int32_t>(at, 9);
    if (numbers == nullptr || numbers[8] < 0) return TALLY_INVALID_ARGUMENT;
    const auto floats = 2 * static_cast<size_t>(numbers[8]);
    at += 9 * sizeof(int32_t);
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
    head.num_anchors = numbers[8];
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

// ---- preprocessor and decoder alone, for the conformance vectors --------------------------------

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
  FrameBuffer result(Span(env, out));
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

// ---- counter -----------------------------------------------------------------------------------

jint counterDefaults(JNIEnv* env, Class, jobject out) {
  auto* options = Span(env, out).as<tally_counter_options>(0);
  if (options == nullptr) return TALLY_INVALID_ARGUMENT;
  options->struct_size = sizeof *options;
  return tally_counter_defaults(options);
}

jint counterCreate(JNIEnv* env, Class, jobject options, jobject out) {
  const Span result(env, out);
  const auto* wanted = Span(env, options).as<tally_counter_options>(0);
  if (wanted == nullptr || result.bytes < 8) return TALLY_INVALID_ARGUMENT;
  tally_counter* counter = nullptr;
  const int32_t status =
      tally_counter_create(wanted, &counter, reinterpret_cast<char*>(result.data), result.bytes);
  return created(status, counter, result);
}

void counterDestroy(JNIEnv*, Class, jlong counter) {
  tally_counter_destroy(pointer<tally_counter>(counter));
}

jstring counterError(JNIEnv* env, Class, jlong counter) {
  return text(env, tally_counter_error(pointer<tally_counter>(counter)));
}

jint counterAddRegion(JNIEnv* env, Class, jlong counter, jstring kind, jobject points, jint count,
                      jint extend, jfloat min_dwell_s) {
  const Span given(env, points);
  const auto* corners = given.as<tally_point>(0, static_cast<size_t>(count < 0 ? 0 : count));
  const Utf8 rule(env, kind);
  tally_region_options options{};
  options.struct_size = sizeof options;
  tally_region_defaults(&options);
  options.extend = extend;
  options.min_dwell_s = min_dwell_s;
  int32_t index = 0;
  return tally_counter_add_region(pointer<tally_counter>(counter), rule.get(), corners, count,
                                  &options, &index);
}

jint counterIgnore(JNIEnv* env, Class, jlong counter, jobject points, jint count) {
  const auto* corners =
      Span(env, points).as<tally_point>(0, static_cast<size_t>(count < 0 ? 0 : count));
  return tally_counter_ignore(pointer<tally_counter>(counter), corners, count);
}

jint counterWantClasses(JNIEnv* env, Class, jlong counter, jobject ids, jint count) {
  const auto* wanted = Span(env, ids).as<int32_t>(0, static_cast<size_t>(count < 0 ? 0 : count));
  return tally_counter_want_classes(pointer<tally_counter>(counter), wanted, count);
}

// The detections are the first `count` of the buffer, which receives tracks and events.
jint counterUpdate(JNIEnv* env, Class, jlong counter, jlong timestamp, jint count, jobject out) {
  FrameBuffer result(Span(env, out));
  if (result.result == nullptr || count < 0 || count > result.result->detections_capacity)
    return TALLY_INVALID_ARGUMENT;
  auto* totals = pointer<tally_counter>(counter);
  result.result->num_detections = count;
  Stopwatch watch;
  int32_t status = tally_counter_update(totals, timestamp, result.detections, count);
  if (status == TALLY_OK) status = take(totals, &result);
  result.result->count_ns = watch.lap();
  return status;
}

// Tracks and events of the last call that did not fit.
jint counterTake(JNIEnv* env, Class, jlong counter, jobject out) {
  FrameBuffer result(Span(env, out));
  if (result.result == nullptr) return TALLY_INVALID_ARGUMENT;
  return take(pointer<tally_counter>(counter), &result);
}

jint counterConclude(JNIEnv*, Class, jlong counter) {
  return tally_counter_conclude(pointer<tally_counter>(counter));
}

jint counterReset(JNIEnv*, Class, jlong counter) {
  return tally_counter_reset(pointer<tally_counter>(counter));
}

jint counterUnique(JNIEnv* env, Class, jlong counter, jint classes, jobject out) {
  auto* totals = Span(env, out).as<int64_t>(0, static_cast<size_t>(classes < 0 ? 0 : classes));
  return tally_counter_unique(pointer<tally_counter>(counter), totals, classes);
}

jint counterDetected(JNIEnv* env, Class, jlong counter, jint classes, jobject out) {
  auto* totals = Span(env, out).as<int64_t>(0, static_cast<size_t>(classes < 0 ? 0 : classes));
  return tally_counter_detected(pointer<tally_counter>(counter), totals, classes);
}

jint counterRegionTotal(JNIEnv* env, Class, jlong counter, jstring kind, jint index, jint total,
                        jint classes, jobject out) {
  auto* totals = Span(env, out).as<int64_t>(0, static_cast<size_t>(classes < 0 ? 0 : classes));
  const Utf8 rule(env, kind);
  return tally_counter_region_total(pointer<tally_counter>(counter), rule.get(), index, total,
                                    totals, classes);
}

jint counterRegionValue(JNIEnv* env, Class, jlong counter, jstring kind, jint index, jint value,
                        jobject out) {
  const Utf8 rule(env, kind);
  return tally_counter_region_value(pointer<tally_counter>(counter), rule.get(), index, value,
                                    Span(env, out).as<double>(0));
}

jint counterDiagnostics(JNIEnv* env, Class, jlong counter, jobject out) {
  auto* facts = Span(env, out).as<tally_diagnostics>(0);
  if (facts == nullptr) return TALLY_INVALID_ARGUMENT;
  facts->struct_size = sizeof *facts;
  return tally_counter_diagnostics(pointer<tally_counter>(counter), facts);
}

// out: 8 bytes for the size, then the state.
jint counterSave(JNIEnv* env, Class, jlong counter, jobject out) {
  const Span result(env, out);
  auto* size = result.as<int64_t>(0);
  if (size == nullptr) return TALLY_INVALID_ARGUMENT;
  size_t written = 0;
  const int32_t status = tally_counter_save(pointer<tally_counter>(counter), result.data + 8,
                                            result.bytes - 8, &written);
  *size = static_cast<int64_t>(written);
  return status;
}

jint counterRestore(JNIEnv* env, Class, jlong counter, jobject state, jlong size) {
  const Span given(env, state);
  if (size < 0 || static_cast<size_t>(size) > given.bytes) return TALLY_INVALID_ARGUMENT;
  return tally_counter_restore(pointer<tally_counter>(counter), given.data,
                               static_cast<size_t>(size));
}

// ---- governor ----------------------------------------------------------------------------------

jint governorCreate(JNIEnv* env, Class, jint sizes, jdouble budget_ms, jdouble max_fps,
                    jobject out) {
  const Span result(env, out);
  if (result.bytes < 8) return TALLY_INVALID_ARGUMENT;
  tally_governor_options options{};
  options.struct_size = sizeof options;
  tally_governor_defaults(&options);
  options.num_sizes = sizes;
  options.budget_ms = budget_ms;
  options.max_fps = max_fps;
  tally_governor* governor = nullptr;
  const int32_t status = tally_governor_create(&options, &governor,
                                               reinterpret_cast<char*>(result.data), result.bytes);
  return created(status, governor, result);
}

void governorDestroy(JNIEnv*, Class, jlong governor) {
  tally_governor_destroy(pointer<tally_governor>(governor));
}

// The reason why not, 0 if the frame is wanted; a negative status on a failure.
jint governorWants(JNIEnv*, Class, jlong governor, jlong timestamp) {
  int32_t wanted = 0, reason = 0;
  const int32_t status =
      tally_governor_wants(pointer<tally_governor>(governor), timestamp, &wanted, &reason);
  if (status != TALLY_OK) return -status;
  return wanted != 0 ? 0 : reason;
}

jint governorLearn(JNIEnv*, Class, jlong governor, jlong timestamp, jdouble latency_ms) {
  return tally_governor_learn(pointer<tally_governor>(governor), timestamp, latency_ms);
}

jint governorSetThermal(JNIEnv*, Class, jlong governor, jint thermal) {
  return tally_governor_set_thermal(pointer<tally_governor>(governor), thermal);
}

jint governorSetHeadroom(JNIEnv*, Class, jlong governor, jdouble headroom) {
  return tally_governor_set_headroom(pointer<tally_governor>(governor), headroom);
}

jint governorState(JNIEnv* env, Class, jlong governor, jobject out) {
  auto* state = Span(env, out).as<tally_governor_state>(0);
  if (state == nullptr) return TALLY_INVALID_ARGUMENT;
  state->struct_size = sizeof *state;
  return tally_governor_get_state(pointer<tally_governor>(governor), state);
}

// The number of changes in `out`; a negative status on a failure.
jint governorTakeChanges(JNIEnv* env, Class, jlong governor, jint capacity, jobject out) {
  auto* changes =
      Span(env, out).as<tally_level_change>(0, static_cast<size_t>(capacity < 0 ? 0 : capacity));
  int32_t count = 0;
  const int32_t status = tally_governor_take_changes(pointer<tally_governor>(governor), changes,
                                                     changes != nullptr ? capacity : 0, &count);
  return status == TALLY_OK ? count : -status;
}

#define BUFFER "Ljava/nio/ByteBuffer;"
#define STRING "Ljava/lang/String;"
#define FRAME BUFFER BUFFER BUFFER BUFFER
#define FUNCTION(name, signature) \
  {const_cast<char*>(#name), const_cast<char*>(signature), reinterpret_cast<void*>(name)}

const JNINativeMethod kFunctions[] = {
    FUNCTION(version, "()" STRING),
    FUNCTION(statusText, "(I)" STRING),
    FUNCTION(reasonName, "(I)" STRING),
    FUNCTION(reasonText, "(I)" STRING),
    FUNCTION(eventKindName, "(I)" STRING),
    FUNCTION(modelDocument, "(" BUFFER "J" BUFFER ")I"),
    FUNCTION(modelResize, "(" BUFFER "IIII)I"),
    FUNCTION(engineOpen, "(" BUFFER "J" BUFFER STRING BUFFER ")I"),
    FUNCTION(engineDestroy, "(J)V"),
    FUNCTION(engineName, "(J)" STRING),
    FUNCTION(engineWarning, "(J)" STRING),
    FUNCTION(engineInput, "(J" BUFFER ")I"),
    FUNCTION(engineOutput, "(JI" BUFFER ")I"),
    FUNCTION(detectorCreate, "(J" BUFFER "I" BUFFER BUFFER ")I"),
    FUNCTION(detectorDestroy, "(J)V"),
    FUNCTION(detectorError, "(J)" STRING),
    FUNCTION(decoderDefaults, "(" BUFFER ")I"),
    FUNCTION(detectFrame, "(J" FRAME BUFFER ")I"),
    FUNCTION(countFrame, "(JJ" FRAME "J" BUFFER ")I"),
    FUNCTION(preprocess, "(" FRAME BUFFER BUFFER BUFFER ")I"),
    FUNCTION(decode, "(" BUFFER "I[" BUFFER BUFFER BUFFER BUFFER ")I"),
    FUNCTION(counterDefaults, "(" BUFFER ")I"),
    FUNCTION(counterCreate, "(" BUFFER BUFFER ")I"),
    FUNCTION(counterDestroy, "(J)V"),
    FUNCTION(counterError, "(J)" STRING),
    FUNCTION(counterAddRegion, "(J" STRING BUFFER "II"
                               "F)I"),
    FUNCTION(counterIgnore, "(J" BUFFER "I)I"),
    FUNCTION(counterWantClasses, "(J" BUFFER "I)I"),
    FUNCTION(counterUpdate, "(JJI" BUFFER ")I"),
    FUNCTION(counterTake, "(J" BUFFER ")I"),
    FUNCTION(counterConclude, "(J)I"),
    FUNCTION(counterReset, "(J)I"),
    FUNCTION(counterUnique, "(JI" BUFFER ")I"),
    FUNCTION(counterDetected, "(JI" BUFFER ")I"),
    FUNCTION(counterRegionTotal, "(J" STRING "III" BUFFER ")I"),
    FUNCTION(counterRegionValue, "(J" STRING "II" BUFFER ")I"),
    FUNCTION(counterDiagnostics, "(J" BUFFER ")I"),
    FUNCTION(counterSave, "(J" BUFFER ")I"),
    FUNCTION(counterRestore, "(J" BUFFER "J)I"),
    FUNCTION(governorCreate, "(IDD" BUFFER ")I"),
    FUNCTION(governorDestroy, "(J)V"),
    FUNCTION(governorWants, "(JJ)I"),
    FUNCTION(governorLearn, "(JJD)I"),
    FUNCTION(governorSetThermal, "(JI)I"),
    FUNCTION(governorSetHeadroom, "(JD)I"),
    FUNCTION(governorState, "(J" BUFFER ")I"),
    FUNCTION(governorTakeChanges, "(JI" BUFFER ")I"),
};

}  // namespace

extern "C" JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM* vm, void*) {
  JNIEnv* env = nullptr;
  if (vm->GetEnv(reinterpret_cast<void**>(&env), JNI_VERSION_1_6) != JNI_OK) return JNI_ERR;
  const jclass functions = env->FindClass("io/tallylens/internal/Native");
  if (functions == nullptr) return JNI_ERR;
  constexpr jint kCount = sizeof kFunctions / sizeof *kFunctions;
  if (env->RegisterNatives(functions, kFunctions, kCount) != JNI_OK) return JNI_ERR;
  return JNI_VERSION_1_6;
}
