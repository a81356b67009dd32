// Opening a model: LiteRT's library, the compiled model, and what runs it.
#include <cstdio>
#include <cstdlib>
#include <new>
#include <utility>

#include "engine.h"

namespace tally::engine {
namespace {

int hardware(int32_t accelerator) {
  if (accelerator == TALLY_ENGINE_GPU) return litert::kGpu;
  return accelerator == TALLY_ENGINE_NPU ? litert::kNpu : litert::kCpu;
}

const char* engine_name(int32_t accelerator) {
  if (accelerator == TALLY_ENGINE_GPU) return "litert-gpu";
  return accelerator == TALLY_ENGINE_NPU ? "litert-npu" : "litert-xnnpack";
}

}  // namespace
}  // namespace tally::engine

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
  for (tally::engine::Tensor& output : outputs) unlock(&output);
  if (input.buffer != nullptr) api_->destroy_buffer(input.buffer);
  for (const tally::engine::Tensor& output : outputs)
    if (output.buffer != nullptr) api_->destroy_buffer(output.buffer);
  if (compiled_ != nullptr) api_->destroy_compiled(compiled_);
  if (options_ != nullptr) api_->destroy_options(options_);
  if (model_ != nullptr) api_->destroy_model(model_);
  if (environment_ != nullptr) api_->destroy_environment(environment_);
  api_ = nullptr;
}

void tally_engine::call(int status, const char* what, int32_t code) const {
  if (status == 0) return;
  tally::engine::fail(code, std::string(what) + ": LiteRT says \"" +
                                tally::litert::status_word(status) + "\" (" +
                                std::to_string(status) + ")");
}

void tally_engine::open(const void* model, size_t bytes, const tally_engine_options& options) {
  int32_t status = TALLY_OK;
  std::string reason;
  const tally::litert::Api* api = tally::litert::load(options.library, &status, &reason);
  if (api == nullptr) tally::engine::fail(status, reason);
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
  const int asked = tally::engine::hardware(options.accelerator) | tally::litert::kCpu;
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
  tally::litert::Handle opaque = nullptr;
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
    tally::litert::Handle accelerator = nullptr;
    int support = 0;
    if (api_->accelerator(environment_, i, &accelerator) == 0 &&
        api_->accelerator_support(accelerator, &support) == 0 && (support & which) != 0)
      return true;
  }
  return false;
}

void tally_engine::describe(int32_t asked) {
  name = tally::engine::engine_name(asked);
  if (asked == TALLY_ENGINE_CPU) return;
  const char* processor = asked == TALLY_ENGINE_GPU ? "GPU" : "NPU";
  if (!has_accelerator(tally::engine::hardware(asked))) {
    name = tally::engine::engine_name(TALLY_ENGINE_CPU);
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
