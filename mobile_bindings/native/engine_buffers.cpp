// Buffers of a compiled model, and one inference.
#include <climits>
#include <cstdint>
#include <cstring>
#include <string>

#include "engine.h"

namespace tally::engine {
namespace {

size_t packed_bytes(const litert::TensorType& type, int32_t dtype) {
  size_t bytes = dtype == TALLY_FLOAT32 ? 4 : 1;
  for (uint32_t i = 0; i < type.rank(); ++i) {
    const int32_t side = type.dimensions[i];
    if (side <= 0 || bytes > size_t{INT32_MAX} / static_cast<size_t>(side))
      fail(TALLY_ENGINE_BAD_MODEL,
           std::string("a tensor of the model has a side that is not fixed") + kConvertAgain);
    bytes *= static_cast<size_t>(side);
  }
  return bytes;
}

}  // namespace
}  // namespace tally::engine

void tally_engine::make_buffers() {
  tally::litert::Handle requirements = nullptr;
  const char what[] = "LiteRT does not say what buffers the model needs";
  call(api_->input_requirements(compiled_, tally::engine::kSignature, 0, &requirements), what);
  make_buffer(requirements, &input);
  for (size_t i = 0; i < outputs.size(); ++i) {
    call(api_->output_requirements(compiled_, tally::engine::kSignature, i, &requirements), what);
    make_buffer(requirements, &outputs[i]);
    output_buffers_.push_back(outputs[i].buffer);
  }
}

void tally_engine::make_buffer(tally::litert::Handle requirements, tally::engine::Tensor* tensor) {
  const char what[] = "LiteRT makes no buffer for a tensor";
  call(api_->create_buffer(environment_, &tensor->type, requirements, &tensor->buffer), what,
       TALLY_ENGINE_FAILED);
  tensor->bytes = tally::engine::packed_bytes(tensor->type, tensor->dtype);
  size_t bytes = 0;
  call(api_->buffer_size(tensor->buffer, &bytes), what, TALLY_ENGINE_FAILED);
  if (bytes < tensor->bytes)
    tally::engine::fail(TALLY_ENGINE_UNSUPPORTED,
                        "this LiteRT makes buffers in a way that is not known");
  int type = 0;
  call(api_->buffer_type(tensor->buffer, &type), what, TALLY_ENGINE_FAILED);
  tensor->is_host = type == tally::litert::kHostMemory;
  if (!tensor->is_host) return;
  call(api_->host_memory(tensor->buffer, &tensor->data), what, TALLY_ENGINE_FAILED);
  std::memset(tensor->data, 0, tensor->bytes);
}

void tally_engine::unlock(tally::engine::Tensor* tensor) {
  if (!tensor->is_locked) return;
  api_->unlock(tensor->buffer);
  tensor->is_locked = false;
  tensor->data = nullptr;
}

void tally_engine::map_input() {
  if (input.is_host || input.is_locked) return;
  call(api_->lock(input.buffer, &input.data, tally::litert::kWrite), "the input cannot be written",
       TALLY_ENGINE_FAILED);
  input.is_locked = true;
}

void tally_engine::run() {
  unlock(&input);
  for (tally::engine::Tensor& output : outputs) unlock(&output);
  has_run = false;
  call(api_->run(compiled_, tally::engine::kSignature, 1, &input.buffer, output_buffers_.size(),
                 output_buffers_.data()),
       "the inference failed", TALLY_ENGINE_FAILED);
  for (tally::engine::Tensor& output : outputs) {
    if (output.is_host) continue;
    call(api_->lock(output.buffer, &output.data, tally::litert::kRead), "an output cannot be read",
         TALLY_ENGINE_FAILED);
    output.is_locked = true;
  }
  has_run = true;
}
