// The C interface of model files. No logic lives here.
#include "exact_floats.h"

#include "api.h"
#include "model.h"
#include "options.h"

using tally::call;
using tally::require;

struct tally_model : tally::Model {
  using Model::Model;
};

tally_status tally_model_open(const uint8_t* data, size_t size, int32_t need_document,
                              tally_model** out, char* error, size_t capacity) {
  return tally::create(out, error, capacity, [&] {
    require(data != nullptr, "data is NULL");
    return std::make_unique<tally_model>(data, size, need_document != 0);
  });
}
void tally_model_destroy(tally_model* model) { delete model; }
const char* tally_model_error(const tally_model* model) { return tally::error_of(model); }

tally_status tally_model_document(tally_model* model, const char** document, size_t* size) {
  return call(model, [&](tally_model& self) {
    require(document != nullptr && size != nullptr, "result pointers are NULL");
    const auto& found = self.document();
    *document = found ? found->data() : nullptr;
    *size = found ? found->size() : 0;
  });
}

tally_status tally_model_counts(tally_model* model, int32_t* inputs, int32_t* outputs) {
  return call(model, [&](tally_model& self) {
    require(inputs != nullptr && outputs != nullptr, "result pointers are NULL");
    *inputs = static_cast<int32_t>(self.inputs());
    *outputs = static_cast<int32_t>(self.outputs());
  });
}

tally_status tally_model_input(tally_model* model, int32_t index, tally_model_tensor* out) {
  return call(model, [&](tally_model& self) {
    require(out != nullptr, "out is NULL");
    tally::fill(*out, self.input(index));
  });
}

tally_status tally_model_output(tally_model* model, int32_t index, tally_model_tensor* out) {
  return call(model, [&](tally_model& self) {
    require(out != nullptr, "out is NULL");
    tally::fill(*out, self.output(index));
  });
}

tally_status tally_model_resize(uint8_t* data, size_t size, int32_t old_width, int32_t old_height,
                                int32_t new_width, int32_t new_height) {
  std::string unused;
  return tally::guarded(unused, [&] {
    require(data != nullptr, "data is NULL");
    require(old_width > 0 && old_height > 0 && new_width > 0 && new_height > 0,
            "a size is not above 0");
    if (!tally::resize_model(data, size, {old_height, old_width}, {new_height, new_width}))
      throw tally::StatusError(TALLY_UNSUPPORTED_MODEL, "the model depends on its input size");
  });
}
