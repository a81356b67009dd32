#include "exact_floats.h"

#include "tflite_check.h"

#include <algorithm>
#include <cmath>

#include "tflite_schema.h"

namespace tally::tflite {
namespace {

constexpr size_t kMaxRank = 8;
constexpr int64_t kMaxTensorBytes = int64_t{1} << 31;
constexpr size_t kMaxCustomName = 200;

using Shape = std::vector<int32_t>;

/// 0 for types that detectors do not use.
int64_t element_bytes(int8_t type) {
  switch (type) {
    case kUint8:
    case kBool:
    case kInt8: return 1;
    case kFloat16:
    case kInt16: return 2;
    case kFloat32:
    case kInt32: return 4;
    case kInt64: return 8;
    default: return 0;
  }
}

std::string words_of(const Shape& shape) {
  std::string words = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    words += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return words + "]";
}

/// Bytes of a tensor, or more than kMaxTensorBytes where that is too small a number.
int64_t bytes_of(const Shape& shape, int64_t element) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  int64_t bytes = element;
  for (const int32_t side : shape) {
    bytes *= side;  // below 2^31 * 2^31
    if (bytes > kMaxTensorBytes) return bytes;
  }
  return bytes;
}

std::string quantization_problem(const Node& quantization, const Shape& shape, int8_t type) {
  const auto scales = quantization.numbers<float>(kQuantizationScale);
  const auto zero_points = quantization.numbers<int64_t>(kQuantizationZeroPoint);
  const auto axis = quantization.number<int32_t>(kQuantizationAxis);
  for (const float scale : scales)
    if (!std::isfinite(scale) || scale <= 0) return "a quantization scale that is not above zero";
  // Those of other types, and per channel, are 0.
  int64_t low = type == kInt8 ? -128 : 0;
  int64_t high = type == kInt8 ? 127 : type == kUint8 ? 255 : 0;
  if (scales.size() > 1) {
    low = high = 0;
    if (axis < 0 || static_cast<size_t>(axis) >= shape.size() ||
        static_cast<size_t>(shape[axis]) != scales.size())
      return std::to_string(scales.size()) + " quantization scales for the shape " +
             words_of(shape);
  }
  if (!zero_points.empty() && zero_points.size() != scales.size())
    return std::to_string(zero_points.size()) + " zero points for " +
           std::to_string(scales.size()) + " scales";
  for (const int64_t zero_point : zero_points)
    if (zero_point < low || zero_point > high) return "a zero point out of its range";
  return "";
}

std::string tensor_problem(const Node& tensor, const std::vector<size_t>& buffer_sizes) {
  const auto shape = tensor.numbers<int32_t>(kTensorShape);
  const auto type = tensor.number<int8_t>(kTensorType);
  const size_t buffer = tensor.number<uint32_t>(kTensorBuffer);
  const int64_t element = element_bytes(type);
  if (element == 0) return "an element type that detectors do not use";
  if (shape.size() > kMaxRank ||
      std::any_of(shape.begin(), shape.end(), [](int32_t side) { return side < 0; }))
    return "the invalid shape " +
           words_of({shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(
                                                        std::min(shape.size(), kMaxRank + 1))});
  const int64_t bytes = bytes_of(shape, element);
  if (bytes > kMaxTensorBytes) return "more than 2 GiB";
  if (buffer >= buffer_sizes.size()) return "a buffer that does not exist";
  const size_t stored = buffer_sizes[buffer];
  if (stored != 0 && stored != static_cast<size_t>(bytes))
    return std::to_string(stored) + " bytes of data for " + std::to_string(bytes);
  if (tensor.has(kTensorSparsity)) return "sparse data";
  if (tensor.has(kTensorQuantization))
    return quantization_problem(tensor.node(kTensorQuantization), shape, type);
  return "";
}

TensorFacts facts_of(const Node& tensor, const std::vector<size_t>& buffer_sizes) {
  const auto shape = tensor.numbers<int32_t>(kTensorShape);
  const auto type = tensor.number<int8_t>(kTensorType);
  TensorFacts facts;
  facts.rank = shape.size();
  facts.constant = std::find(shape.begin(), shape.end(), 0) != shape.end() ||
                   buffer_sizes[tensor.number<uint32_t>(kTensorBuffer)] > 0;
  if ((type == kInt8 || type == kUint8) && tensor.has(kTensorQuantization))
    for (const float scale : tensor.node(kTensorQuantization).numbers<float>(kQuantizationScale))
      facts.scale = std::max(facts.scale, scale);
  return facts;
}

}  // namespace

std::string custom_operator(const Node& model) {
  for (const Node& code : model.nodes(kModelOperatorCodes)) {
    std::string name = code.text(kCodeCustomName, kMaxCustomName);
    if (name.empty() && builtin_of(code) != kCustom) continue;
    for (char& letter : name)
      if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f) letter = '?';
    return "'" + name + "'";
  }
  return "";
}

std::string first_problem(const Node& model) {
  const auto graphs = model.nodes(kModelSubgraphs);
  if (graphs.size() != 1) return std::to_string(graphs.size()) + " subgraphs instead of one";
  std::vector<size_t> buffer_sizes;
  for (const Node& buffer : model.nodes(kModelBuffers)) {
    if (buffer.has(kBufferOffset)) return "weights outside the flatbuffer";
    buffer_sizes.push_back(buffer.bytes(kBufferData, SIZE_MAX).count);
  }
  const auto tensors = graphs[0].nodes(kGraphTensors);
  for (size_t i = 0; i < tensors.size(); ++i) {
    const std::string problem = tensor_problem(tensors[i], buffer_sizes);
    if (!problem.empty()) return "tensor " + std::to_string(i) + " has " + problem;
  }
  std::vector<TensorFacts> facts;
  facts.reserve(tensors.size());
  for (const Node& tensor : tensors) facts.push_back(facts_of(tensor, buffer_sizes));
  std::vector<int32_t> builtins;
  for (const Node& code : model.nodes(kModelOperatorCodes)) builtins.push_back(builtin_of(code));
  return flow_problem(graphs[0], facts, builtins);
}

}  // namespace tally::tflite
