// The part of LiteRT's C interface that the engine calls, found at run time in libLiteRt.so.
//
// Declared here from the public description of the interface, because LiteRT's own headers need
// its build system. It is not a stable interface: litert_api.cpp refuses what was not tested.
#ifndef TALLY_LITERT_API_H
#define TALLY_LITERT_API_H

#include <cstddef>
#include <cstdint>
#include <string>

namespace tally::litert {

using Status = int;  // 0 is success
using Handle = void*;

enum HardwareAccelerator : int { kCpu = 1, kGpu = 2, kNpu = 4 };
enum BufferType : int { kHostMemory = 1 };
enum LockMode : int { kRead = 0, kWrite = 1 };
enum ElementType : int { kFloat32 = 1, kUint8 = 3, kInt8 = 9 };
enum AnyType : int { kAnyInt = 2 };
enum EnvironmentOptionTag : int { kMinLoggerSeverity = 25 };
constexpr int64_t kSilent = 4;
constexpr int kPerTensorQuantization = 1;
constexpr uint32_t kMaxRank = 8;

struct Any {
  int type;
  int64_t value;  // a union of 8 bytes
};

struct EnvironmentOption {
  int tag;
  Any value;
};
static_assert(sizeof(EnvironmentOption) == 24 || sizeof(void*) == 4);

struct TensorType {
  int element_type;
  uint32_t rank_and_flags;  // 7 bits of rank, 1 of "has strides"
  int32_t dimensions[kMaxRank];
  uint32_t strides[kMaxRank];

  uint32_t rank() const { return rank_and_flags & 0x7f; }
};
static_assert(sizeof(TensorType) == 72);

struct Quantization {
  float scale;
  int64_t zero_point;
};

// X(member, exported name, return type, parameters): every function that is called, bar one.
#define TALLY_LITERT_FUNCTIONS(X)                                                               \
  X(create_environment, CreateEnvironment, Status, (int, const EnvironmentOption*, Handle*))    \
  X(destroy_environment, DestroyEnvironment, void, (Handle))                                    \
  X(num_accelerators, GetNumAccelerators, Status, (Handle, size_t*))                            \
  X(accelerator, GetAccelerator, Status, (Handle, size_t, Handle*))                             \
  X(accelerator_support, GetAcceleratorHardwareSupport, Status, (Handle, int*))                 \
  X(destroy_model, DestroyModel, void, (Handle))                                                \
  X(num_signatures, GetNumModelSignatures, Status, (Handle, size_t*))                           \
  X(signature, GetModelSignature, Status, (Handle, size_t, Handle*))                            \
  X(num_inputs, GetNumSignatureInputs, Status, (Handle, size_t*))                               \
  X(num_outputs, GetNumSignatureOutputs, Status, (Handle, size_t*))                             \
  X(input_tensor, GetSignatureInputTensorByIndex, Status, (Handle, size_t, Handle*))            \
  X(output_tensor, GetSignatureOutputTensorByIndex, Status, (Handle, size_t, Handle*))          \
  X(tensor_name, GetTensorName, Status, (Handle, const char**))                                 \
  X(tensor_type, GetRankedTensorType, Status, (Handle, TensorType*))                            \
  X(quantization_kind, GetQuantizationTypeId, Status, (Handle, int*))                           \
  X(quantization, GetPerTensorQuantization, Status, (Handle, Quantization*))                    \
  X(create_options, CreateOptions, Status, (Handle*))                                           \
  X(destroy_options, DestroyOptions, void, (Handle))                                            \
  X(set_accelerators, SetOptionsHardwareAccelerators, Status, (Handle, int))                    \
  X(create_opaque, CreateOpaqueOptions, Status, (const char*, void*, void (*)(void*), Handle*)) \
  X(destroy_opaque, DestroyOpaqueOptions, void, (Handle))                                       \
  X(add_opaque, AddOpaqueOptions, Status, (Handle, Handle))                                     \
  X(compile, CreateCompiledModel, Status, (Handle, Handle, Handle, Handle*))                    \
  X(destroy_compiled, DestroyCompiledModel, void, (Handle))                                     \
  X(fully_accelerated, CompiledModelIsFullyAccelerated, Status, (Handle, bool*))                \
  X(resize_input, CompiledModelResizeInputTensorNonStrict, Status,                              \
    (Handle, size_t, size_t, const int*, size_t))                                               \
  X(output_layouts, GetCompiledModelOutputTensorLayouts, Status,                                \
    (Handle, size_t, size_t, void*, bool))                                                      \
  X(input_requirements, GetCompiledModelInputBufferRequirements, Status,                        \
    (Handle, size_t, size_t, Handle*))                                                          \
  X(output_requirements, GetCompiledModelOutputBufferRequirements, Status,                      \
    (Handle, size_t, size_t, Handle*))                                                          \
  X(create_buffer, CreateManagedTensorBufferFromRequirements, Status,                           \
    (Handle, const TensorType*, Handle, Handle*))                                               \
  X(destroy_buffer, DestroyTensorBuffer, void, (Handle))                                        \
  X(buffer_type, GetTensorBufferType, Status, (Handle, int*))                                   \
  X(buffer_size, GetTensorBufferPackedSize, Status, (Handle, size_t*))                          \
  X(host_memory, GetTensorBufferHostMemory, Status, (Handle, void**))                           \
  X(lock, LockTensorBuffer, Status, (Handle, void**, int))                                      \
  X(unlock, UnlockTensorBuffer, Status, (Handle))                                               \
  X(run, RunCompiledModel, Status, (Handle, size_t, size_t, Handle*, size_t, Handle*))

struct Api {
// NOLINTNEXTLINE(bugprone-macro-parentheses): a type and a list of parameters.
#define TALLY_LITERT_MEMBER(member, name, result, parameters) result(*member) parameters = nullptr;
  TALLY_LITERT_FUNCTIONS(TALLY_LITERT_MEMBER)
#undef TALLY_LITERT_MEMBER

  // LiteRtCreateModelFromBuffer, whose parameters changed in 2.1.6.
  Status create_model(Handle environment, const void* data, size_t bytes, Handle* model) const;

  void* create_model_address = nullptr;
  bool model_takes_environment = false;
};

// The functions of the library `name` (nullptr for the platform's own name), which stays loaded.
// On nullptr `status` is a tally_engine_status and `error` says why.
const Api* load(const char* name, int* status, std::string* error);

// A word for LiteRT's status.
const char* status_word(Status status);

}  // namespace tally::litert

#endif  // TALLY_LITERT_API_H
