#include "exact_floats.h"

#include "distribution_head.h"

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "best_class.h"
#include "elementary.h"
#include "head_view.h"
#include "logistic.h"

namespace tally {
namespace {

/// exp(a - b) of two raw values, b the largest of them; of integers by their difference.
template <typename Raw>
class Exponential {
 public:
  Exponential(const tally_head& head, HeadTables& tables) : table_(tables.powers(head)) {}
  float operator()(Raw raw, Raw largest) const { return table_[largest - raw]; }

 private:
  const HeadTables::Values& table_;
};
template <>
class Exponential<float> {
 public:
  Exponential(const tally_head&, HeadTables&) {}
  float operator()(float raw, float largest) const { return exponential(raw - largest); }
};
template <>
class Exponential<Half> {
 public:
  Exponential(const tally_head&, HeadTables&) {}
  float operator()(Half raw, Half largest) const {
    return exponential(to_float(raw) - to_float(largest));
  }
};

template <typename Raw>
class DistributionHead {
 public:
  DistributionHead(const tally_head& head, const tally_decoder_options& options, HeadTables& tables,
                   std::vector<Candidate>& candidates)
      : head_(head),
        options_(options),
        candidates_(candidates),
        strides_(strides_of(head, head_channels(head, options.num_classes))),
        logistic_(head, tables),
        exponential_(head, tables) {}

  void decode() {
    best_.resize(static_cast<size_t>(head_.width));
    for (int y = 0; y < head_.height; ++y) {
      const Raw* row = static_cast<const Raw*>(head_.data) + static_cast<size_t>(y) * strides_.row;
      decode_row(row, y);
    }
  }

 private:
  const Raw* classes_of(const Raw* cell) const {
    return cell + static_cast<size_t>(kBoxSides * head_.reg_max) * strides_.channel;
  }

  int class_of(const Raw* cell) const {
    return best_class(classes_of(cell), strides_.channel, options_.num_classes);
  }

  void decode_row(const Raw* row, int y) {
    const auto reaches = logistic_.reaches(options_.confidence);
    find_best(classes_of(row), strides_, best_.size(), static_cast<size_t>(options_.num_classes),
              best_.data());
    for (int x = 0; x < head_.width; ++x) {
      // Most cells are empty: nothing of them is dequantized. NaN fails the test, too.
      const Raw best = best_[static_cast<size_t>(x)];
      if (!reaches(best)) continue;
      const Raw* cell = row + static_cast<size_t>(x) * strides_.column;
      if (options_.multi_label) {
        add_all(cell, x, y);
      } else if (const float confidence = logistic_(best); confidence >= options_.confidence) {
        candidates_.push_back({box_of(cell, x, y), confidence, class_of(cell)});
      }
    }
  }

  void add_all(const Raw* cell, int x, int y) {
    const Raw* classes = classes_of(cell);
    const Box box = box_of(cell, x, y);
    for (int c = 0; c < options_.num_classes; ++c) {
      const float confidence = logistic_(classes[c * strides_.channel]);
      if (confidence >= options_.confidence) candidates_.push_back({box, confidence, c});
    }
  }

  Box box_of(const Raw* cell, int x, int y) const {
    const auto stride = static_cast<float>(head_.stride);
    const float cx = static_cast<float>(x) + 0.5f, cy = static_cast<float>(y) + 0.5f;
    const size_t side = static_cast<size_t>(head_.reg_max) * strides_.channel;
    return {(cx - distance(cell)) * stride, (cy - distance(cell + side)) * stride,
            (cx + distance(cell + 2 * side)) * stride, (cy + distance(cell + 3 * side)) * stride};
  }

  /// The expected value, in cells, of a distribution that is given by its logits.
  float distance(const Raw* bins) const {
    const Raw most = largest(bins, strides_.channel, static_cast<size_t>(head_.reg_max));
    float total = 0, weighted = 0;
    for (int bin = 0; bin < head_.reg_max; ++bin) {
      const float weight = exponential_(bins[bin * strides_.channel], most);
      total += weight;
      weighted += weight * static_cast<float>(bin);
    }
    return weighted / total;
  }

  const tally_head& head_;
  const tally_decoder_options& options_;
  std::vector<Candidate>& candidates_;
  Strides strides_;
  Logistic<Raw> logistic_;
  Exponential<Raw> exponential_;
  std::vector<Raw> best_;
};

}  // namespace

void decode_distribution(const tally_head& head, const tally_decoder_options& options,
                         HeadTables& tables, std::vector<Candidate>& candidates) {
  const auto decode = [&](auto raw) {
    DistributionHead<decltype(raw)>(head, options, tables, candidates).decode();
  };
  switch (head.dtype) {
    case TALLY_UINT8: decode(uint8_t{}); break;
    case TALLY_INT8: decode(int8_t{}); break;
    case TALLY_FLOAT16: decode(Half{}); break;
    default: decode(float{});
  }
}

}  // namespace tally
