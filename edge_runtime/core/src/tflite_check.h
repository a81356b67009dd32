// Checks the content of a .tflite file before any interpreter opens it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flatbuffer.h"

namespace tally::tflite {

/// The facts that the data flow is checked by.
struct TensorFacts {
  bool constant = false;  // the file holds its data
  size_t rank = 0;
  float scale = 0;  // largest quantization scale; 0 unless int8 or uint8
};

/// The first problem of the model's content in words; empty if it is sound.
std::string first_problem(const Node& model);

/// The name of the first custom operator, in quotes; empty without one.
std::string custom_operator(const Node& model);

/// The first problem of the operators: each must exist, read only tensors written before it, write
/// only tensors not written before, and rescale within the range of the kernels.
std::string flow_problem(const Node& graph, const std::vector<TensorFacts>& tensors,
                         const std::vector<int32_t>& builtins);

}  // namespace tally::tflite
