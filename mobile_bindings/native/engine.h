// An engine: one model, compiled by LiteRT, with its tensors and buffers.
//
// Every buffer is made as the compiled model requires it. In host memory its address is taken once,
// so that the core letterboxes into it and decodes out of it without a copy; other kinds of buffers
// (GPU, NPU) are locked for each access.
#ifndef TALLY_ENGINE_IMPLEMENTATION_H
#define TALLY_ENGINE_IMPLEMENTATION_H

#include <string>
#include <vector>

#include "litert_api.h"
#include "tally_engine.h"

namespace tally::engine {

constexpr size_t kSignature = 0;
constexpr char kConvertAgain[] = "; convert the original checkpoint again with tallylens convert";

/// Why a call is refused: a tally_engine_status and a sentence.
struct Failure {
  int32_t status;
  std::string message;
};

/// Throw a Failure.
[[noreturn]] inline void fail(int32_t status, std::string message) {
  // NOLINTNEXTLINE(bugprone-std-exception-baseclass): it never leaves the library.
  throw Failure{status, std::move(message)};
}

/// A tensor of the model and the buffer that it is read or written through.
struct Tensor {
  std::string name;
  litert::TensorType type{};
  int32_t dtype = 0;
  float scale = 1.0f;
  int32_t zero_point = 0;
  size_t bytes = 0;
  litert::Handle buffer = nullptr;
  bool is_host = false;
  bool is_locked = false;
  void* data = nullptr;
};

}  // namespace tally::engine

struct tally_engine {
  tally_engine(const void* model, size_t bytes, const tally_engine_options& options);
  ~tally_engine();
  tally_engine(const tally_engine&) = delete;
  tally_engine& operator=(const tally_engine&) = delete;

  void run();
  void map_input();

  tally::engine::Tensor input;
  std::vector<tally::engine::Tensor> outputs;
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
  void read_tensor(tally::litert::Handle handle, tally::engine::Tensor* tensor);
  void resize(const tally_engine_options& options);
  void make_buffers();
  void make_buffer(tally::litert::Handle requirements, tally::engine::Tensor* tensor);
  void unlock(tally::engine::Tensor* tensor);

  const tally::litert::Api* api_ = nullptr;
  std::vector<uint8_t> copy_;
  tally::litert::Handle environment_ = nullptr;
  tally::litert::Handle model_ = nullptr;
  tally::litert::Handle options_ = nullptr;
  tally::litert::Handle compiled_ = nullptr;
  std::vector<tally::litert::Handle> output_buffers_;
};

#endif  // TALLY_ENGINE_IMPLEMENTATION_H
