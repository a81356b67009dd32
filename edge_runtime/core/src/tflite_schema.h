// Field and operator numbers of the TFLite schema, version 3, as far as the core reads it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "flatbuffer.h"

namespace tally::tflite {

constexpr int kModelOperatorCodes = 1, kModelSubgraphs = 2, kModelBuffers = 4, kModelMetadata = 6;
constexpr int kCodeOldBuiltin = 0, kCodeCustomName = 1, kCodeBuiltin = 3;
constexpr int kGraphTensors = 0, kGraphInputs = 1, kGraphOutputs = 2, kGraphOperators = 3;
constexpr int kOperatorCode = 0, kOperatorInputs = 1, kOperatorOutputs = 2;
constexpr int kTensorShape = 0, kTensorType = 1, kTensorBuffer = 2, kTensorName = 3;
constexpr int kTensorQuantization = 4, kTensorSparsity = 6;
constexpr int kQuantizationScale = 2, kQuantizationZeroPoint = 3, kQuantizationAxis = 6;
constexpr int kBufferData = 0, kBufferOffset = 1;
constexpr int kMetadataName = 0, kMetadataBuffer = 1;

constexpr int32_t kOmitted = -1;  // an optional input that is not there

enum Builtin : int32_t {
  kAdd = 0,
  kConcatenation = 2,
  kConv2d = 3,
  kDepthwiseConv2d = 4,
  kDequantize = 6,
  kFullyConnected = 9,
  kLogistic = 14,
  kMaxPool2d = 17,
  kMul = 18,
  kRelu = 19,
  kRelu6 = 21,
  kReshape = 22,
  kTanh = 28,
  kCustom = 32,
  kPad = 34,
  kSub = 41,
  kTransposeConv = 67,
  kResizeNearestNeighbor = 97,
  kLeakyRelu = 98,
  kElu = 111,
  kQuantize = 114,
  kHardSwish = 117,
  kGelu = 150
};

enum Type : int8_t {
  kFloat32 = 0,
  kFloat16 = 1,
  kInt32 = 2,
  kUint8 = 3,
  kInt64 = 4,
  kBool = 6,
  kInt16 = 7,
  kInt8 = 9
};

inline int32_t builtin_of(const Node& code) {
  return std::max<int32_t>(code.number<int8_t>(kCodeOldBuiltin),
                           code.number<int32_t>(kCodeBuiltin));
}

}  // namespace tally::tflite
