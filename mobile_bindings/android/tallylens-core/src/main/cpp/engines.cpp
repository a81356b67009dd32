// Model files and engines.
#include <algorithm>

#include "functions.h"
#include "memory.h"
#include "tally_engine.h"

namespace tally::jni {
namespace {

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
  const size_t capacity = result.bytes - 13 * sizeof(int32_t);
  numbers[12] = static_cast<int32_t>(std::min(std::strlen(output.name), capacity));
  std::memcpy(&numbers[13], output.name, static_cast<size_t>(numbers[12]));
  return TALLY_OK;
}

const JNINativeMethod kFunctions[] = {
    FUNCTION(modelDocument, "(" BUFFER "J" BUFFER ")I"),
    FUNCTION(modelResize, "(" BUFFER "IIII)I"),
    FUNCTION(engineOpen, "(" BUFFER "J" BUFFER STRING BUFFER ")I"),
    FUNCTION(engineDestroy, "(J)V"),
    FUNCTION(engineName, "(J)" STRING),
    FUNCTION(engineWarning, "(J)" STRING),
    FUNCTION(engineInput, "(J" BUFFER ")I"),
    FUNCTION(engineOutput, "(JI" BUFFER ")I"),
};

}  // namespace

Table engine_functions() { return {kFunctions, sizeof kFunctions / sizeof *kFunctions}; }

}  // namespace tally::jni
