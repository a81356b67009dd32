// The data flow of a .tflite graph.
#include "exact_floats.h"

#include <algorithm>

#include "tflite_check.h"
#include "tflite_schema.h"

namespace tally::tflite {
namespace {

// XNNPACK cannot rescale by more than this between two quantized tensors; LiteRT 2.3 then crashes
// with a double free while it falls back.
constexpr double kMaxRescale = 256;

using Indices = std::vector<int32_t>;

bool is_product(int32_t builtin) {
  return builtin == kConv2d || builtin == kDepthwiseConv2d || builtin == kFullyConnected ||
         builtin == kMul || builtin == kTransposeConv;
}

/// Whether the operator makes a float of a float16 constant without dimensions, as in files with
/// float16 weights.
bool is_scalar_cast(int32_t builtin, const std::vector<TensorFacts>& tensors,
                    const Indices& reads) {
  return builtin == kDequantize && reads.size() == 1 && tensors[reads[0]].rank == 0 &&
         tensors[reads[0]].constant;
}

bool rescales_too_much(int32_t builtin, const std::vector<TensorFacts>& tensors,
                       const Indices& reads, const Indices& writes) {
  if (writes.empty() || tensors[writes[0]].scale == 0) return false;
  double product = 1, largest = 0;
  for (const int32_t index : reads) {
    const double scale = tensors[index].scale;
    if (scale == 0) continue;
    product *= scale;
    largest = std::max(largest, scale);
  }
  if (largest == 0) return false;
  const double limit = kMaxRescale * tensors[writes[0]].scale;
  if (is_product(builtin)) return product >= limit;
  return (builtin == kAdd || builtin == kSub) && largest >= limit;
}

/// The tensors that hold data at some point of the graph.
class Ready {
 public:
  explicit Ready(const std::vector<TensorFacts>& tensors) : is_(tensors.size()) {
    for (size_t i = 0; i < tensors.size(); ++i) is_[i] = tensors[i].constant;
  }
  bool exists(int32_t index) const { return index >= 0 && static_cast<size_t>(index) < is_.size(); }
  bool holds(int32_t index) const { return exists(index) && is_[index]; }
  bool holds_all(const Indices& indices) const {
    return std::all_of(indices.begin(), indices.end(), [&](int32_t i) { return holds(i); });
  }
  bool exist_all(const Indices& indices) const {
    return std::all_of(indices.begin(), indices.end(), [&](int32_t i) { return exists(i); });
  }
  void add(const Indices& indices) {
    for (const int32_t index : indices) is_[index] = true;
  }

 private:
  std::vector<bool> is_;
};

}  // namespace

// NOLINTNEXTLINE(modernize-use-string-view): callers append to what it returns.
std::string flow_problem(const Node& graph, const std::vector<TensorFacts>& tensors,
                         const std::vector<int32_t>& builtins) {
  const auto inputs = graph.numbers<int32_t>(kGraphInputs);
  const auto outputs = graph.numbers<int32_t>(kGraphOutputs);
  Ready ready(tensors);
  if (!ready.exist_all(inputs) || !ready.exist_all(outputs))
    return "an input or output that does not exist";
  ready.add(inputs);
  for (const Node& one : graph.nodes(kGraphOperators)) {
    const size_t code = one.number<uint32_t>(kOperatorCode);
    if (code >= builtins.size()) return "an operator that does not exist";
    auto reads = one.numbers<int32_t>(kOperatorInputs);
    reads.erase(std::remove(reads.begin(), reads.end(), kOmitted), reads.end());
    const auto writes = one.numbers<int32_t>(kOperatorOutputs);
    if (!ready.holds_all(reads)) return "an operator that reads a tensor before it is written";
    for (const int32_t index : writes) {
      if (!ready.exists(index) || ready.holds(index))
        return "an operator that writes an invalid tensor";
      if (tensors[index].rank == 0 && !is_scalar_cast(builtins[code], tensors, reads))
        return "an operator that writes a tensor without a shape";
    }
    if (rescales_too_much(builtins[code], tensors, reads, writes))
      return "a quantized operator with scales out of range";
    ready.add(writes);
  }
  return ready.holds_all(outputs) ? "" : "an output that is never written";
}

}  // namespace tally::tflite
