// Rewrites the sizes inside a .tflite detector for another input size: the same weights and scales,
// other shapes. A convolutional detector takes any input in multiples of its stride. The
// interpreter carries new shapes through the graph; only sizes that are constants have to be
// rewritten, those of RESHAPE and of RESIZE_NEAREST_NEIGHBOR.
#include "exact_floats.h"

#include <algorithm>
#include <array>

#include "model.h"
#include "tflite_schema.h"

namespace tally {
namespace {

using namespace tflite;

/// A constant size in the file, and its new value.
struct Edit {
  size_t at;
  int32_t value;
};

bool is_elementwise(int32_t builtin) {
  return builtin == kAdd || builtin == kMul || builtin == kConcatenation;
}

/// Each output is computed from the input at the same position, or near it.
bool takes_any_size(int32_t builtin) {
  constexpr std::array kAnySize = {
      kAdd,      kMul,       kConcatenation, kConv2d,    kDepthwiseConv2d, kDequantize, kElu,
      kGelu,     kHardSwish, kPad,           kLeakyRelu, kLogistic,        kRelu,       kMaxPool2d,
      kQuantize, kRelu6,     kTanh};
  return std::find(kAnySize.begin(), kAnySize.end(), builtin) != kAnySize.end();
}

/// Whether the tensor is a constant with a height or width above 1.
bool is_spatial_constant(const Node& tensor, const std::vector<Node>& buffers) {
  const auto shape = tensor.numbers<int32_t>(kTensorShape);
  const size_t buffer = tensor.number<uint32_t>(kTensorBuffer);
  if (buffer >= buffers.size()) throw Broken("a buffer that does not exist");
  if (buffers[buffer].bytes(kBufferData, SIZE_MAX).count == 0) return false;
  const size_t last = shape.size();  // channels
  return (last >= 2 && shape[last - 2] > 1) || (last >= 3 && shape[last - 3] > 1);
}

class Resize {
 public:
  Resize(const FileBytes& file, const int32_t (&old_size)[2], const int32_t (&new_size)[2])
      : file_(file),
        old_(old_size),
        new_(new_size),
        model_(Node::root(file)),
        buffers_(model_.nodes(kModelBuffers)) {}

  bool find_edits() {
    const auto graphs = model_.nodes(kModelSubgraphs);
    if (graphs.size() != 1) return false;
    const auto tensors = graphs[0].nodes(kGraphTensors);
    const auto codes = model_.nodes(kModelOperatorCodes);
    for (const Node& one : graphs[0].nodes(kGraphOperators)) {
      const size_t code = one.number<uint32_t>(kOperatorCode);
      if (code >= codes.size()) return false;
      if (!fits(builtin_of(codes[code]), one.numbers<int32_t>(kOperatorInputs), tensors))
        return false;
    }
    return true;
  }
  const std::vector<Edit>& edits() const { return edits_; }

 private:
  bool fits(int32_t builtin, const std::vector<int32_t>& inputs, const std::vector<Node>& tensors) {
    const auto exists = [&](int32_t i) {
      return i >= 0 && static_cast<size_t>(i) < tensors.size();
    };
    for (const int32_t i : inputs)
      if (!exists(i) && i != kOmitted) return false;
    if (builtin == kReshape || builtin == kResizeNearestNeighbor)
      return inputs.size() >= 2 && exists(inputs[1]) &&
             rescale(tensors[inputs[1]], builtin == kReshape);
    if (!takes_any_size(builtin)) return false;
    if (!is_elementwise(builtin)) return true;
    return std::all_of(inputs.begin(), inputs.end(), [&](int32_t i) {
      return exists(i) && !is_spatial_constant(tensors[i], buffers_);
    });
  }

  /// The constant (1, height, width, channels) of RESHAPE, (height, width) of RESIZE.
  bool rescale(const Node& tensor, bool is_reshape) {
    const size_t buffer = tensor.number<uint32_t>(kTensorBuffer);
    if (buffer >= buffers_.size()) return false;
    const Span found = buffers_[buffer].bytes(kBufferData, SIZE_MAX);
    if (found.count != (is_reshape ? 16U : 8U)) return false;
    for (int side = 0; side < 2; ++side) {
      const size_t at = found.start + 4 * static_cast<size_t>(side + (is_reshape ? 1 : 0));
      const int64_t scaled = int64_t{file_.number<int32_t>(at)} * new_[side];
      if (scaled % old_[side] != 0 || scaled / old_[side] < 1 || scaled / old_[side] > INT32_MAX)
        return false;
      edits_.push_back({at, static_cast<int32_t>(scaled / old_[side])});
    }
    return true;
  }

  const FileBytes& file_;
  const int32_t (&old_)[2];
  const int32_t (&new_)[2];
  Node model_;
  std::vector<Node> buffers_;
  std::vector<Edit> edits_;
};

}  // namespace

bool resize_model(uint8_t* data, size_t size, const int32_t (&old_size)[2],
                  const int32_t (&new_size)[2]) {
  try {
    const FileBytes file(data, size);
    Resize resize(file, old_size, new_size);
    if (!resize.find_edits()) return false;
    for (const Edit& edit : resize.edits())
      for (size_t i = 0; i < 4; ++i)
        data[edit.at + i] = static_cast<uint8_t>(static_cast<uint32_t>(edit.value) >> (8 * i));
    return true;
  } catch (const Broken&) {
    return false;
  }
}

}  // namespace tally
