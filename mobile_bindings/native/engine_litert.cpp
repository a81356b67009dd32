// tally_engine.h on LiteRT's CompiledModel.
//
// Every buffer is made as the compiled model requires it. In host memory its address is taken once,
// so that the core letterboxes into it and decodes out of it without a copy; other kinds of buffers
// (GPU, NPU) are locked for each access.
#include <climits>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "litert_api.h"
#include "tally_engine.h"

namespace tally {
namespace {

using litert::Api;
using litert::Handle;
using litert::TensorType;

constexpr int kMaxThreads = 64;
constexpr int kMaxSide = 8192;
constexpr size_t kMaxOutputs = 64;
constexpr size_t kSignature = 0;
constexpr char kConvertAgain[] = "; convert the original checkpoint again with tallylens convert";
constexpr char kTensorChanged[] = "this LiteRT describes tensors in a way that is not known";

struct Failure {
  int32_t status;
  std::string message;
};

[[noreturn]] void fail(int32_t status, std::string message) {
  throw Failure{status, std::move(message)};
}

/// A tensor of the model and the buffer that it is read or written through.
struct Tensor {
  std::string name;
  TensorType type{};
  int32_t dtype = 0;
  float scale = 1.0f;
  int32_t zero_point = 0;
  size_t bytes = 0;
  Handle buffer = nullptr;
  bool is_host = false;
  bool is_locked = false;
  void* data = nullptr;
};

/// Where LiteRT writes a tensor's type: canaries behind it show when its struct has grown.
struct GuardedType {
  TensorType type;
  uint8_t canary[64];
};

tally_engine_options default_options() {
  tally_engine_options options{};
  options.struct_size = sizeof options;
  options.accelerator = TALLY_ENGINE_CPU;
  options.num_threads = 1;
  return options;
}

template <typename Struct>
bool is_known_size(uint32_t struct_size) {
  return struct_size >= 8 && struct_size <= sizeof(Struct) && struct_size % 4 == 0;
}

tally_engine_options complete(const tally_engine_options* given) {
  tally_engine_options options = default_options();
  if (given == nullptr) return options;
  if (!is_known_size<tally_engine_options>(given->struct_size))
    fail(TALLY_UNSUPPORTED_SIZE, tally_engine_status_text(TALLY_UNSUPPORTED_SIZE));
  std::memcpy(&options, given, given->struct_size);
  options.struct_size = sizeof options;
  return options;
}

void check(const tally_engine_options& options) {
  const auto refuse = [](const char* name, int value, const char* range) {
    fail(TALLY_INVALID_ARGUMENT,
         std::string(name) + " is " + std::to_string(value) + "; use " + range);
  };
  if (options.accelerator < TALLY_ENGINE_CPU || options.accelerator > TALLY_ENGINE_NPU)
    refuse("accelerator", options.accelerator, "0 (CPU), 1 (GPU) or 2 (NPU)");
  if (options.num_threads < 1 || options.num_threads > kMaxThreads)
    refuse("num_threads", options.num_threads, "1 to 64");
  if (options.input_width < 0 || options.input_width > kMaxSide)
    refuse("input_width", options.input_width, "0 to 8192");
  if (options.input_height < 0 || options.input_height > kMaxSide)
    refuse("input_height", options.input_height, "0 to 8192");
  if ((options.input_width == 0) != (options.input_height == 0))
    fail(TALLY_INVALID_ARGUMENT, "only one side of the input is given; give both or none");
}

int32_t dtype_of(const TensorType& type) {
  switch (type.element_type) {
    case litert::kFloat32: return TALLY_FLOAT32;
    case litert::kUint8: return TALLY_UINT8;
    case litert::kInt8: return TALLY_INT8;
    default: return -1;
  }
}

size_t packed_bytes(const TensorType& type, int32_t dtype) {
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
}  // namespace tally

struct tally_engine {
  tally_engine(const void* model, size_t bytes, const tally_engine_options& options);
  ~tally_engine();
  tally_engine(const tally_engine&) = delete;
  tally_engine& operator=(const tally_engine&) = delete;

  void run();
  void map_input();

  tally::Tensor input;
  std::vector<tally::Tensor> outputs;
  std::string name;
  std::string warning;
  std::string error;
  bool has_run = false;

 private:
  void call(int status, const char* what, int32_t code = TALLY_ENGINE_BAD_MODEL) const;
  void release();
  void open(const void* model, size_t bytes, const tally_engine_options& options);
  void compile(const tally_engine_options& options);
  void add_threads(int count);
  bool has_accelerator(int which) const;
  void describe(int32_t asked);
  void read_tensors();
  void read_tensor(tally::Handle handle, tally::Tensor* tensor);
  void resize(const tally_engine_options& options);
  void make_buffers();
  void make_buffer(tally::Handle requirements, tally::Tensor* tensor);
  void unlock(tally::Tensor* tensor);

  const tally::litert::Api* api_ = nullptr;
  std::vector<uint8_t> copy_;
  tally::Handle environment_ = nullptr;
  tally::Handle model_ = nullptr;
  tally::Handle options_ = nullptr;
  tally::Handle compiled_ = nullptr;
  std::vector<tally::Handle> output_buffers_;
};

namespace tally {
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

int hardware(int32_t accelerator) {
  if (accelerator == TALLY_ENGINE_GPU) return litert::kGpu;
  return accelerator == TALLY_ENGINE_NPU ? litert::kNpu : litert::kCpu;
}

const char* engine_name(int32_t accelerator) {
  if (accelerator == TALLY_ENGINE_GPU) return "litert-gpu";
  return accelerator == TALLY_ENGINE_NPU ? "litert-npu" : "litert-xnnpack";
}

}  // namespace
}  // namespace tally

tally_engine::tally_engine(const void* model, size_t bytes, const tally_engine_options& options) {
  try {
    open(model, bytes, options);
  } catch (...) {
    release();
    throw;
  }
}

tally_engine::~tally_engine() { release(); }

void tally_engine::release() {
  if (api_ == nullptr) return;
  // In the order of use: buffers before the model that they belong to, the environment last.
  unlock(&input);
  for (tally::Tensor& output : outputs) unlock(&output);
  if (input.buffer != nullptr) api_->destroy_buffer(input.buffer);
  for (tally::Tensor& output : outputs)
    if (output.buffer != nullptr) api_->destroy_buffer(output.buffer);
  if (compiled_ != nullptr) api_->destroy_compiled(compiled_);
  if (options_ != nullptr) api_->destroy_options(options_);
  if (model_ != nullptr) api_->destroy_model(model_);
  if (environment_ != nullptr) api_->destroy_environment(environment_);
  api_ = nullptr;
}

void tally_engine::call(int status, const char* what, int32_t code) const {
  if (status == 0) return;
  tally::fail(code, std::string(what) + ": LiteRT says \"" + tally::litert::status_word(status) +
                        "\" (" + std::to_string(status) + ")");
}

void tally_engine::open(const void* model, size_t bytes, const tally_engine_options& options) {
  int32_t status = TALLY_OK;
  std::string reason;
  const tally::litert::Api* api = tally::litert::load(options.library, &status, &reason);
  if (api == nullptr) tally::fail(status, reason);
  api_ = api;
  if (options.borrow_model == 0) {
    const auto* first = static_cast<const uint8_t*>(model);
    copy_.assign(first, first + bytes);
    model = copy_.data();
  }
  const tally::litert::EnvironmentOption quiet = {tally::litert::kMinLoggerSeverity,
                                                  {tally::litert::kAnyInt, tally::litert::kSilent}};
  call(api_->create_environment(1, &quiet, &environment_), "LiteRT does not start",
       TALLY_ENGINE_FAILED);
  call(api_->create_model(environment_, model, bytes, &model_), "LiteRT cannot read the model");
  read_tensors();
  compile(options);
  resize(options);
  make_buffers();
  describe(options.accelerator);
}

void tally_engine::compile(const tally_engine_options& options) {
  call(api_->create_options(&options_), "LiteRT makes no options", TALLY_ENGINE_FAILED);
  const int asked = tally::hardware(options.accelerator) | tally::litert::kCpu;
  call(api_->set_accelerators(options_, asked), "LiteRT refuses the accelerator",
       TALLY_ENGINE_FAILED);
  add_threads(options.num_threads);
  call(api_->compile(environment_, model_, options_, &compiled_), "LiteRT cannot run the model");
}

void tally_engine::add_threads(int count) {
  // LiteRT frees the text with the function that is given.
  char* text = static_cast<char*>(std::malloc(32));
  if (text == nullptr) throw std::bad_alloc();
  std::snprintf(text, 32, "num_threads = %d\n", count);
  tally::Handle opaque = nullptr;
  const int made = api_->create_opaque("xnnpack", text, std::free, &opaque);
  if (made != 0) std::free(text);
  call(made, "LiteRT refuses the number of threads", TALLY_ENGINE_FAILED);
  const int added = api_->add_opaque(options_, opaque);
  if (added != 0) api_->destroy_opaque(opaque);
  call(added, "LiteRT refuses the number of threads", TALLY_ENGINE_FAILED);
}

bool tally_engine::has_accelerator(int which) const {
  size_t count = 0;
  call(api_->num_accelerators(environment_, &count), "LiteRT does not list its accelerators",
       TALLY_ENGINE_FAILED);
  for (size_t i = 0; i < count; ++i) {
    tally::Handle accelerator = nullptr;
    int support = 0;
    if (api_->accelerator(environment_, i, &accelerator) == 0 &&
        api_->accelerator_support(accelerator, &support) == 0 && (support & which) != 0)
      return true;
  }
  return false;
}

void tally_engine::describe(int32_t asked) {
  name = tally::engine_name(asked);
  if (asked == TALLY_ENGINE_CPU) return;
  const char* processor = asked == TALLY_ENGINE_GPU ? "GPU" : "NPU";
  if (!has_accelerator(tally::hardware(asked))) {
    name = tally::engine_name(TALLY_ENGINE_CPU);
    warning =
        std::string("the ") + processor +
        " was asked for, but LiteRT has found none that it can use; the model runs on the CPU";
    return;
  }
  bool all = false;
  call(api_->fully_accelerated(compiled_, &all), "LiteRT does not say what runs the model",
       TALLY_ENGINE_FAILED);
  if (all) return;
  name += " (partly cpu)";
  warning = std::string("a part of the model runs on the CPU, because the ") + processor +
            " lacks an operator of it; that may be slower than the CPU alone";
}

void tally_engine::read_tensors() {
  size_t signatures = 0, num_inputs = 0, num_outputs = 0;
  tally::Handle signature = nullptr, tensor = nullptr;
  const char what[] = "LiteRT does not describe the model";
  call(api_->num_signatures(model_, &signatures), what);
  if (signatures == 0) tally::fail(TALLY_ENGINE_BAD_MODEL, "the model has no signature");
  call(api_->signature(model_, tally::kSignature, &signature), what);
  call(api_->num_inputs(signature, &num_inputs), what);
  call(api_->num_outputs(signature, &num_outputs), what);
  if (num_inputs != 1 || num_outputs == 0 || num_outputs > tally::kMaxOutputs)
    tally::fail(TALLY_ENGINE_BAD_MODEL, "the model has " + std::to_string(num_inputs) +
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

void tally_engine::read_tensor(tally::Handle handle, tally::Tensor* tensor) {
  const char what[] = "LiteRT does not describe a tensor";
  const char* text = nullptr;
  call(api_->tensor_name(handle, &text), what);
  tensor->name = text != nullptr ? text : "";
  tally::GuardedType guarded{};
  std::memset(guarded.canary, 0xA5, sizeof guarded.canary);
  call(api_->tensor_type(handle, &guarded.type), what);
  for (const uint8_t byte : guarded.canary)
    if (byte != 0xA5) tally::fail(TALLY_ENGINE_UNSUPPORTED, tally::kTensorChanged);
  tensor->type = guarded.type;
  if (tensor->type.rank() == 0 || tensor->type.rank() > tally::litert::kMaxRank)
    tally::fail(TALLY_ENGINE_UNSUPPORTED, tally::kTensorChanged);
  tensor->dtype = tally::dtype_of(tensor->type);
  if (tensor->dtype < 0)
    tally::fail(TALLY_ENGINE_BAD_MODEL,
                "tensor " + tensor->name + " is not float32, uint8 or int8" + tally::kConvertAgain);
  if (tensor->dtype == TALLY_FLOAT32) return;
  int kind = 0;
  call(api_->quantization_kind(handle, &kind), what);
  tally::litert::Quantization found{};
  if (kind == tally::litert::kPerTensorQuantization) call(api_->quantization(handle, &found), what);
  if (!(std::isfinite(found.scale) && found.scale > 0) || found.zero_point < -128 ||
      found.zero_point > 255)
    tally::fail(TALLY_ENGINE_BAD_MODEL,
                "tensor " + tensor->name + " has no usable quantization" + tally::kConvertAgain);
  tensor->scale = found.scale;
  tensor->zero_point = static_cast<int32_t>(found.zero_point);
}

void tally_engine::resize(const tally_engine_options& options) {
  if (input.type.rank() != 4 || input.type.dimensions[0] != 1 || input.type.dimensions[3] != 3)
    tally::fail(TALLY_ENGINE_BAD_MODEL,
                std::string("the input is not one image of three channels") + tally::kConvertAgain);
  const int height = options.input_height, width = options.input_width;
  if (height == 0 || (height == input.type.dimensions[1] && width == input.type.dimensions[2]))
    return;
  const int sides[4] = {1, height, width, 3};
  call(api_->resize_input(compiled_, tally::kSignature, 0, sides, 4),
       "LiteRT cannot resize the input");
  input.type.dimensions[1] = height;
  input.type.dimensions[2] = width;
  // Layouts are the tensor types without the element type.
  constexpr size_t kLayoutBytes = sizeof(tally::TensorType) - sizeof(int);
  std::vector<uint8_t> layouts(outputs.size() * kLayoutBytes);
  call(api_->output_layouts(compiled_, tally::kSignature, outputs.size(), layouts.data(), true),
       "LiteRT cannot resize the outputs");
  for (size_t i = 0; i < outputs.size(); ++i)
    std::memcpy(&outputs[i].type.rank_and_flags, layouts.data() + i * kLayoutBytes, kLayoutBytes);
}

void tally_engine::make_buffers() {
  tally::Handle requirements = nullptr;
  const char what[] = "LiteRT does not say what buffers the model needs";
  call(api_->input_requirements(compiled_, tally::kSignature, 0, &requirements), what);
  make_buffer(requirements, &input);
  for (size_t i = 0; i < outputs.size(); ++i) {
    call(api_->output_requirements(compiled_, tally::kSignature, i, &requirements), what);
    make_buffer(requirements, &outputs[i]);
    output_buffers_.push_back(outputs[i].buffer);
  }
}

void tally_engine::make_buffer(tally::Handle requirements, tally::Tensor* tensor) {
  const char what[] = "LiteRT makes no buffer for a tensor";
  call(api_->create_buffer(environment_, &tensor->type, requirements, &tensor->buffer), what,
       TALLY_ENGINE_FAILED);
  tensor->bytes = tally::packed_bytes(tensor->type, tensor->dtype);
  size_t bytes = 0;
  call(api_->buffer_size(tensor->buffer, &bytes), what, TALLY_ENGINE_FAILED);
  if (bytes < tensor->bytes) tally::fail(TALLY_ENGINE_UNSUPPORTED, tally::kTensorChanged);
  int type = 0;
  call(api_->buffer_type(tensor->buffer, &type), what, TALLY_ENGINE_FAILED);
  tensor->is_host = type == tally::litert::kHostMemory;
  if (!tensor->is_host) return;
  call(api_->host_memory(tensor->buffer, &tensor->data), what, TALLY_ENGINE_FAILED);
  std::memset(tensor->data, 0, tensor->bytes);
}

void tally_engine::unlock(tally::Tensor* tensor) {
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
  for (tally::Tensor& output : outputs) unlock(&output);
  has_run = false;
  call(api_->run(compiled_, tally::kSignature, 1, &input.buffer, output_buffers_.size(),
                 output_buffers_.data()),
       "the inference failed", TALLY_ENGINE_FAILED);
  for (tally::Tensor& output : outputs) {
    if (output.is_host) continue;
    call(api_->lock(output.buffer, &output.data, tally::litert::kRead), "an output cannot be read",
         TALLY_ENGINE_FAILED);
    output.is_locked = true;
  }
  has_run = true;
}

// ---- the C interface --------------------------------------------------------------------------

extern "C" {

int32_t tally_engine_defaults(tally_engine_options* options) {
  if (options == nullptr) return TALLY_INVALID_ARGUMENT;
  const uint32_t size = options->struct_size;
  if (!tally::is_known_size<tally_engine_options>(size)) return TALLY_UNSUPPORTED_SIZE;
  const tally_engine_options defaults = tally::default_options();
  std::memcpy(options, &defaults, size);
  options->struct_size = size;
  return TALLY_OK;
}

int32_t tally_engine_open(const void* model, size_t bytes, const tally_engine_options* options,
                          tally_engine** out, char* error, size_t capacity) {
  std::string reason;
  const int32_t status = tally::guarded(&reason, [&] {
    if (model == nullptr || bytes == 0 || out == nullptr)
      tally::fail(TALLY_INVALID_ARGUMENT, "the model or its destination is missing");
    const tally_engine_options whole = tally::complete(options);
    tally::check(whole);
    *out = new tally_engine(model, bytes, whole);
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
  return tally::guarded(&engine->error, [&] {
    if (!tally::is_known_size<tally_tensor>(out->struct_size))
      tally::fail(TALLY_UNSUPPORTED_SIZE, tally_engine_status_text(TALLY_UNSUPPORTED_SIZE));
    engine->map_input();
    const tally::Tensor& input = engine->input;
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
  return tally::guarded(&engine->error, [&] { engine->run(); });
}

int32_t tally_engine_num_outputs(const tally_engine* engine) {
  return engine != nullptr ? static_cast<int32_t>(engine->outputs.size()) : 0;
}

int32_t tally_engine_get_output(const tally_engine* engine, int32_t index,
                                tally_engine_output* out) {
  if (engine == nullptr || out == nullptr || index < 0 || index >= tally_engine_num_outputs(engine))
    return TALLY_INVALID_ARGUMENT;
  if (!tally::is_known_size<tally_engine_output>(out->struct_size)) return TALLY_UNSUPPORTED_SIZE;
  const tally::Tensor& tensor = engine->outputs[static_cast<size_t>(index)];
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
