#include "exact_floats.h"

#include "model.h"

#include <algorithm>

#include "handle.h"
#include "tflite_check.h"
#include "tflite_schema.h"

namespace tally {
namespace {

using namespace tflite;

constexpr char kIdentifier[] = "TFL3";
constexpr size_t kIdentifierAt = 4;
constexpr char kKey[] = "tallylens";
constexpr size_t kMaxDocumentBytes = 1 << 20;
constexpr size_t kMaxNameBytes = 1 << 16;

[[noreturn]] void refuse_damaged(const std::string& problem) {
  throw StatusError(TALLY_BAD_MODEL, "the TFLite model is damaged (" + problem + ")");
}

std::optional<std::string> find_document(const Node& model) {
  const auto buffers = model.nodes(kModelBuffers);
  for (const Node& entry : model.nodes(kModelMetadata)) {
    if (entry.text(kMetadataName, kMaxDocumentBytes) != kKey) continue;
    const size_t buffer = entry.number<uint32_t>(kMetadataBuffer);
    if (buffer >= buffers.size()) throw Broken("metadata in a buffer that does not exist");
    if (buffers[buffer].bytes(kBufferData, SIZE_MAX).count > kMaxDocumentBytes)
      throw Broken("metadata larger than " + std::to_string(kMaxDocumentBytes) + " bytes");
    return buffers[buffer].text(kBufferData, kMaxDocumentBytes);
  }
  return std::nullopt;
}

int32_t dtype_of(int8_t type) {
  switch (type) {
    case kUint8: return TALLY_UINT8;
    case kInt8: return TALLY_INT8;
    case kFloat32: return TALLY_FLOAT32;
    case kFloat16: return TALLY_FLOAT16;
    default: return -1;
  }
}

/// Scale and zero point of a tensor that has one of each.
void read_quantization(const Node& tensor, tally_model_tensor& out) {
  if (!tensor.has(kTensorQuantization)) return;
  const Node quantization = tensor.node(kTensorQuantization);
  const auto scales = quantization.numbers<float>(kQuantizationScale);
  const auto zero_points = quantization.numbers<int64_t>(kQuantizationZeroPoint);
  if (scales.size() == 1) out.scale = scales[0];
  if (zero_points.size() == 1) out.zero_point = static_cast<int32_t>(zero_points[0]);
}

tally_model_tensor describe(const Node& tensor) {
  tally_model_tensor out{};
  out.struct_size = sizeof out;
  const auto shape = tensor.numbers<int32_t>(kTensorShape);
  out.dtype = dtype_of(tensor.number<int8_t>(kTensorType));
  out.rank = static_cast<int32_t>(shape.size());
  std::copy(shape.begin(), shape.end(), out.shape);
  read_quantization(tensor, out);
  return out;
}

}  // namespace

Model::Model(const uint8_t* data, size_t size, bool need_document) {
  try {
    read(data, size, need_document);
  } catch (const Broken& problem) {
    refuse_damaged(problem.what());
  }
}

void Model::read(const uint8_t* data, size_t size, bool need_document) {
  const FileBytes file(data, size);
  const char* identifier = reinterpret_cast<const char*>(data) + kIdentifierAt;
  if (size < kIdentifierAt + 4 || !std::equal(identifier, identifier + 4, kIdentifier))
    throw StatusError(TALLY_BAD_MODEL, "not a TFLite model");
  const Node model = Node::root(file);
  document_ = find_document(model);
  if (need_document && !document_)
    throw StatusError(TALLY_UNSUPPORTED_MODEL, "a TFLite model without tallylens metadata");
  if (const std::string name = custom_operator(model); !name.empty())
    throw StatusError(TALLY_UNSUPPORTED_MODEL,
                      "the TFLite model needs the custom operator " + name);
  if (const std::string problem = first_problem(model); !problem.empty()) refuse_damaged(problem);
  const Node graph = model.nodes(kModelSubgraphs)[0];
  const auto tensors = graph.nodes(kGraphTensors);
  for (auto* ends : {&inputs_, &outputs_})
    for (const int32_t index :
         graph.numbers<int32_t>(ends == &inputs_ ? kGraphInputs : kGraphOutputs))
      ends->push_back({describe(tensors[index]), tensors[index].text(kTensorName, kMaxNameBytes)});
}

tally_model_tensor Model::described(const std::vector<Tensor>& tensors, int32_t index) {
  require(index >= 0 && static_cast<size_t>(index) < tensors.size(), "no tensor of that number");
  tally_model_tensor values = tensors[index].values;
  values.name = tensors[index].name.c_str();
  return values;
}

}  // namespace tally
