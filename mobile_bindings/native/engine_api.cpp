// tally_engine.h on LiteRT's CompiledModel.
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <string>

#include "engine.h"
#include "engine_options.h"

namespace tally::engine {
namespace {

/// Run `body`; no exception leaves, its text goes to `error`.
template <typename Body>
int32_t guarded(std::string* error, Body&& body) noexcept {
  try {
    body();
    return TALLY_OK;
  } catch (Failure& failure) {
    error->swap(failure.message);
    return failure.status;
  } catch (const std::bad_alloc&) {
    error->clear();
    return TALLY_OUT_OF_MEMORY;
  } catch (...) {
    error->clear();
    return TALLY_INTERNAL;
  }
}

}  // namespace
}  // namespace tally::engine

extern "C" {

int32_t tally_engine_defaults(tally_engine_options* options) {
  if (options == nullptr) return TALLY_INVALID_ARGUMENT;
  const uint32_t size = options->struct_size;
  if (!tally::engine::is_known_size<tally_engine_options>(size)) return TALLY_UNSUPPORTED_SIZE;
  const tally_engine_options defaults = tally::engine::default_options();
  std::memcpy(options, &defaults, size);
  options->struct_size = size;
  return TALLY_OK;
}

int32_t tally_engine_open(const void* model, size_t bytes, const tally_engine_options* options,
                          tally_engine** out, char* error, size_t capacity) {
  std::string reason;
  const int32_t status = tally::engine::guarded(&reason, [&] {
    if (model == nullptr || bytes == 0 || out == nullptr)
      tally::engine::fail(TALLY_INVALID_ARGUMENT, "the model or its destination is missing");
    *out = std::make_unique<tally_engine>(model, bytes, tally::engine::complete(options)).release();
  });
  if (status != TALLY_OK && error != nullptr && capacity > 0) {
    const char* text = reason.empty() ? tally_engine_status_text(status) : reason.c_str();
    std::snprintf(error, capacity, "%s", text);
  }
  return status;
}

void tally_engine_destroy(tally_engine* engine) { delete engine; }

const char* tally_engine_error(const tally_engine* engine) {
  return engine != nullptr ? engine->error.c_str() : "";
}

const char* tally_engine_name(const tally_engine* engine) {
  return engine != nullptr ? engine->name.c_str() : "";
}

const char* tally_engine_warning(const tally_engine* engine) {
  return engine == nullptr || engine->warning.empty() ? nullptr : engine->warning.c_str();
}

int32_t tally_engine_input(tally_engine* engine, tally_tensor* out, float* scale,
                           int32_t* zero_point) {
  if (engine == nullptr || out == nullptr) return TALLY_INVALID_ARGUMENT;
  return tally::engine::guarded(&engine->error, [&] {
    if (!tally::engine::is_known_size<tally_tensor>(out->struct_size))
      tally::engine::fail(TALLY_UNSUPPORTED_SIZE, tally_engine_status_text(TALLY_UNSUPPORTED_SIZE));
    engine->map_input();
    const tally::engine::Tensor& input = engine->input;
    tally_tensor tensor{};
    tensor.struct_size = out->struct_size;
    tensor.dtype = input.dtype;
    tensor.layout = TALLY_NHWC;
    tensor.height = input.type.dimensions[1];
    tensor.width = input.type.dimensions[2];
    tensor.data = input.data;
    tensor.bytes = input.bytes;
    std::memcpy(out, &tensor, out->struct_size);
    if (scale != nullptr) *scale = input.scale;
    if (zero_point != nullptr) *zero_point = input.zero_point;
  });
}

int32_t tally_engine_run(tally_engine* engine) {
  if (engine == nullptr) return TALLY_INVALID_ARGUMENT;
  return tally::engine::guarded(&engine->error, [&] { engine->run(); });
}

int32_t tally_engine_num_outputs(const tally_engine* engine) {
  return engine != nullptr ? static_cast<int32_t>(engine->outputs.size()) : 0;
}

int32_t tally_engine_get_output(const tally_engine* engine, int32_t index,
                                tally_engine_output* out) {
  if (engine == nullptr || out == nullptr || index < 0 || index >= tally_engine_num_outputs(engine))
    return TALLY_INVALID_ARGUMENT;
  if (!tally::engine::is_known_size<tally_engine_output>(out->struct_size))
    return TALLY_UNSUPPORTED_SIZE;
  const tally::engine::Tensor& tensor = engine->outputs[static_cast<size_t>(index)];
  tally_engine_output found{};
  found.struct_size = out->struct_size;
  found.dtype = tensor.dtype;
  found.rank = static_cast<int32_t>(tensor.type.rank());
  std::memcpy(found.dimensions, tensor.type.dimensions, sizeof found.dimensions);
  found.scale = tensor.scale;
  found.zero_point = tensor.zero_point;
  found.name = tensor.name.c_str();
  found.data = engine->has_run ? tensor.data : nullptr;
  found.bytes = tensor.bytes;
  std::memcpy(out, &found, out->struct_size);
  return TALLY_OK;
}

const char* tally_engine_status_text(int32_t status) {
  switch (status) {
    case TALLY_ENGINE_MISSING: return "LiteRT is missing, or lacks a function";
    case TALLY_ENGINE_UNSUPPORTED: return "this version of LiteRT has not been tested";
    case TALLY_ENGINE_BAD_MODEL: return "the model cannot be used";
    case TALLY_ENGINE_FAILED: return "LiteRT failed";
    default: return tally_status_text(status);
  }
}

}  // extern "C"
