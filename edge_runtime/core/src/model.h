// A model file that is sound: its metadata document, inputs and outputs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tally.h"

namespace tally {

class Model {
 public:
  /// Throws StatusError for what must not reach an interpreter.
  Model(const uint8_t* data, size_t size, bool need_document);

  const std::optional<std::string>& document() const { return document_; }
  size_t inputs() const { return inputs_.size(); }
  size_t outputs() const { return outputs_.size(); }
  tally_model_tensor input(int32_t index) const { return described(inputs_, index); }
  tally_model_tensor output(int32_t index) const { return described(outputs_, index); }

  std::string error;

 private:
  struct Tensor {
    tally_model_tensor values;
    std::string name;
  };
  void read(const uint8_t* data, size_t size, bool need_document);
  static tally_model_tensor described(const std::vector<Tensor>& tensors, int32_t index);

  std::optional<std::string> document_;
  std::vector<Tensor> inputs_, outputs_;
};

/// Rewrite the sizes that are constants for another input size, in place; false and unchanged if an
/// operator may depend on the input size.
bool resize_model(uint8_t* data, size_t size, const int32_t (&old_size)[2],
                  const int32_t (&new_size)[2]);

}  // namespace tally
