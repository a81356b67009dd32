// libFuzzer target of model files: the whole input is a .tflite. Built and run by run.sh beside it;
// seeds are sound models and their cuts. A model that passes must describe itself within its
// bounds, and resizing must never leave a model that no longer passes.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "tally.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void describe(tally_model* model) {
  const char* document = nullptr;
  size_t size = 0;
  int32_t inputs = 0, outputs = 0;
  require(tally_model_document(model, &document, &size) == TALLY_OK && size <= 1 << 20);
  require((document == nullptr) <= (size == 0));
  require(tally_model_counts(model, &inputs, &outputs) == TALLY_OK);
  for (int32_t i = 0; i < inputs + outputs; ++i) {
    tally_model_tensor tensor{};
    tensor.struct_size = sizeof tensor;
    require((i < inputs ? tally_model_input(model, i, &tensor)
                        : tally_model_output(model, i - inputs, &tensor)) == TALLY_OK);
    require(tensor.rank >= 0 && tensor.rank <= 8 && tensor.scale >= 0);
    require(std::strlen(tensor.name) < 1 << 17);
  }
}

tally_status open_and_describe(const std::vector<uint8_t>& file) {
  tally_model* model = nullptr;
  char error[64];
  const tally_status status =
      tally_model_open(file.data(), file.size(), 0, &model, error, sizeof error);
  require((status == TALLY_OK) == (model != nullptr) && (status == TALLY_OK) == (error[0] == 0));
  require(status == TALLY_OK || status == TALLY_BAD_MODEL || status == TALLY_UNSUPPORTED_MODEL);
  if (model != nullptr) describe(model);
  tally_model_destroy(model);
  return status;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint8_t> file(data, data + size);
  if (file.empty()) return 0;
  const tally_status before = open_and_describe(file);
  const std::vector<uint8_t> original = file;
  const tally_status resized = tally_model_resize(file.data(), file.size(), 96, 64, 48, 32);
  require(resized == TALLY_OK || file == original);
  if (before == TALLY_OK && resized == TALLY_OK) open_and_describe(file);
  return 0;
}
