// Inputs and outputs of a model: names, shapes, quantization, and another input size.
#include <cmath>
#include <cstdint>
#include <cstring>

#include "engine.h"

namespace tally::engine {
namespace {

constexpr size_t kMaxOutputs = 64;

/// Where LiteRT writes a tensor's type: canaries behind it show when its struct has grown.
struct GuardedType {
  litert::TensorType type;
  uint8_t canary[64];
};

int32_t dtype_of(const litert::TensorType& type) {
  switch (type.element_type) {
    case litert::kFloat32: return TALLY_FLOAT32;
    case litert::kUint8: return TALLY_UINT8;
    case litert::kInt8: return TALLY_INT8;
    default: return -1;
  }
}

/// This LiteRT is not one that was tested.
constexpr char kTensorChanged[] = "this LiteRT describes tensors in a way that is not known";

}  // namespace
}  // namespace tally::engine

void tally_engine::read_tensors() {
  size_t signatures = 0, num_inputs = 0, num_outputs = 0;
  tally::litert::Handle signature = nullptr, tensor = nullptr;
  const char what[] = "LiteRT does not describe the model";
  call(api_->num_signatures(model_, &signatures), what);
  if (signatures == 0) tally::engine::fail(TALLY_ENGINE_BAD_MODEL, "the model has no signature");
  call(api_->signature(model_, tally::engine::kSignature, &signature), what);
  call(api_->num_inputs(signature, &num_inputs), what);
  call(api_->num_outputs(signature, &num_outputs), what);
  if (num_inputs != 1 || num_outputs == 0 || num_outputs > tally::engine::kMaxOutputs)
    tally::engine::fail(TALLY_ENGINE_BAD_MODEL, "the model has " + std::to_string(num_inputs) +
                                                    " inputs and " + std::to_string(num_outputs) +
                                                    " outputs; use a detector with one input");
  call(api_->input_tensor(signature, 0, &tensor), what);
  read_tensor(tensor, &input);
  outputs.resize(num_outputs);
  for (size_t i = 0; i < num_outputs; ++i) {
    call(api_->output_tensor(signature, i, &tensor), what);
    read_tensor(tensor, &outputs[i]);
  }
}

void tally_engine::read_tensor(tally::litert::Handle handle, tally::engine::Tensor* tensor) {
  const char what[] = "LiteRT does not describe a tensor";
  const char* text = nullptr;
  call(api_->tensor_name(handle, &text), what);
  tensor->name = text != nullptr ? text : "";
  tally::engine::GuardedType guarded{};
  std::memset(guarded.canary, 0xA5, sizeof guarded.canary);
  call(api_->tensor_type(handle, &guarded.type), what);
  for (const uint8_t byte : guarded.canary)
    if (byte != 0xA5) tally::engine::fail(TALLY_ENGINE_UNSUPPORTED, tally::engine::kTensorChanged);
  tensor->type = guarded.type;
  if (tensor->type.rank() == 0 || tensor->type.rank() > tally::litert::kMaxRank)
    tally::engine::fail(TALLY_ENGINE_UNSUPPORTED, tally::engine::kTensorChanged);
  tensor->dtype = tally::engine::dtype_of(tensor->type);
  if (tensor->dtype < 0)
    tally::engine::fail(
        TALLY_ENGINE_BAD_MODEL,
        "tensor " + tensor->name + " is not float32, uint8 or int8" + tally::engine::kConvertAgain);
  if (tensor->dtype == TALLY_FLOAT32) return;
  int kind = 0;
  call(api_->quantization_kind(handle, &kind), what);
  tally::litert::Quantization found{};
  if (kind == tally::litert::kPerTensorQuantization) call(api_->quantization(handle, &found), what);
  if (!std::isfinite(found.scale) || found.scale <= 0 || found.zero_point < -128 ||
      found.zero_point > 255)
    tally::engine::fail(
        TALLY_ENGINE_BAD_MODEL,
        "tensor " + tensor->name + " has no usable quantization" + tally::engine::kConvertAgain);
  tensor->scale = found.scale;
  tensor->zero_point = static_cast<int32_t>(found.zero_point);
}

void tally_engine::resize(const tally_engine_options& options) {
  if (input.type.rank() != 4 || input.type.dimensions[0] != 1 || input.type.dimensions[3] != 3)
    tally::engine::fail(
        TALLY_ENGINE_BAD_MODEL,
        std::string("the input is not one image of three channels") + tally::engine::kConvertAgain);
  const int height = options.input_height, width = options.input_width;
  if (height == 0 || (height == input.type.dimensions[1] && width == input.type.dimensions[2]))
    return;
  const int sides[4] = {1, height, width, 3};
  call(api_->resize_input(compiled_, tally::engine::kSignature, 0, sides, 4),
       "LiteRT cannot resize the input", TALLY_ENGINE_FAILED);
  input.type.dimensions[1] = height;
  input.type.dimensions[2] = width;
  // Layouts are the tensor types without the element type.
  constexpr size_t kLayoutBytes = sizeof(tally::litert::TensorType) - sizeof(int);
  std::vector<uint8_t> layouts(outputs.size() * kLayoutBytes);
  call(api_->output_layouts(compiled_, tally::engine::kSignature, outputs.size(), layouts.data(),
                            true),
       "LiteRT cannot resize the outputs", TALLY_ENGINE_FAILED);
  for (size_t i = 0; i < outputs.size(); ++i)
    std::memcpy(&outputs[i].type.rank_and_flags, layouts.data() + i * kLayoutBytes, kLayoutBytes);
}
