#include "exact_floats.h"

#include "decoded_boxes.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "best_class.h"
#include "head_view.h"

namespace tally {
namespace {

/// The values of one output as real numbers, whatever their type. Only few boxes are read by it.
class Values {
 public:
  explicit Values(const tally_head& head) : head_(head) {}
  float at(size_t index) const {
    switch (head_.dtype) {
      case TALLY_UINT8: return real(static_cast<const uint8_t*>(head_.data)[index]);
      case TALLY_INT8: return real(static_cast<const int8_t*>(head_.data)[index]);
      case TALLY_FLOAT16: return to_float(static_cast<const Half*>(head_.data)[index]);
      default: return static_cast<const float*>(head_.data)[index];
    }
  }
  float real(int raw) const {
    return head_.scale * static_cast<float>(int64_t{raw} - head_.zero_point);
  }

 private:
  const tally_head& head_;
};

class DecodedBoxes {
 public:
  DecodedBoxes(const tally_head& head, const tally_decoder_options& options,
               std::vector<Candidate>& candidates)
      : head_(head),
        options_(options),
        candidates_(candidates),
        strides_(strides_of(head, head_channels(head, options.num_classes))),
        values_(head) {}

  /// Most boxes are empty: of them one raw value is compared, and nothing dequantized.
  template <typename Raw>
  void read() {
    const Raw* first = static_cast<const Raw*>(head_.data);
    const auto boxes = static_cast<size_t>(head_.width);
    size_t step = strides_.column;
    std::vector<Raw> best;
    if (head_.decoded == TALLY_SCORED_BOXES) {
      first += kBoxSides * strides_.channel;
    } else {
      best.resize(boxes);
      find_best(first + class_channel(head_) * strides_.channel, strides_, boxes,
                static_cast<size_t>(options_.num_classes), best.data());
      first = best.data();
      step = 1;
    }
    const auto reaches = threshold<Raw>();
    for (size_t box = 0; box < boxes; ++box)
      if (reaches(first[box * step])) add(box * strides_.column);
  }

 private:
  /// Whether a raw value may reach the confidence that is asked for. NaN does not.
  template <typename Raw>
  auto threshold() const {
    const float confidence = options_.confidence;
    if constexpr (std::is_integral_v<Raw>) {
      int steps = 0;
      while (steps < 256 && values_.real(steps + std::numeric_limits<Raw>::min()) < confidence)
        ++steps;
      const int least = steps + std::numeric_limits<Raw>::min();
      return [least](Raw raw) { return raw >= least; };
    } else {
      return [confidence](Raw raw) { return to_float(raw) >= confidence; };
    }
  }

  float value(size_t cell, size_t channel) const {
    return values_.at(cell + channel * strides_.channel);
  }

  /// The classes of the box at element `cell` that reach the threshold.
  void add(size_t cell) {
    const float objectness = head_.decoded == TALLY_SCORED_BOXES ? value(cell, kBoxSides) : 1.0f;
    const float w = value(cell, 2) * head_.unit_x, h = value(cell, 3) * head_.unit_y;
    const bool has_area = w > 0 && h > 0;  // false for NaN
    if (!has_area) return;
    const float x = value(cell, 0) * head_.unit_x, y = value(cell, 1) * head_.unit_y;
    const Box box = {x - w / 2, y - h / 2, x + w / 2, y + h / 2};
    const size_t first = class_channel(head_);
    Candidate best = {box, -1.0f, 0};
    for (int c = 0; c < options_.num_classes; ++c) {
      const float confidence = objectness * value(cell, first + static_cast<size_t>(c));
      if (options_.multi_label && confidence >= options_.confidence)
        candidates_.push_back({box, confidence, c});
      if (confidence > best.confidence) best = {box, confidence, c};
    }
    if (!options_.multi_label && best.confidence >= options_.confidence)
      candidates_.push_back(best);
  }

  const tally_head& head_;
  const tally_decoder_options& options_;
  std::vector<Candidate>& candidates_;
  Strides strides_;
  Values values_;
};

}  // namespace

void read_boxes(const tally_head& head, const tally_decoder_options& options,
                std::vector<Candidate>& candidates) {
  DecodedBoxes boxes(head, options, candidates);
  switch (head.dtype) {
    case TALLY_UINT8: boxes.read<uint8_t>(); break;
    case TALLY_INT8: boxes.read<int8_t>(); break;
    case TALLY_FLOAT16: boxes.read<Half>(); break;
    default: boxes.read<float>();
  }
}

}  // namespace tally
