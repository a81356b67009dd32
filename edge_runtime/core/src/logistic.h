// Raw values of a head as probabilities, and which of them may reach a threshold.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "elementary.h"
#include "head_view.h"

namespace tally {

inline float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }

/// Raw value to probability; integer heads have only 256 of them.
template <typename Raw>
class Logistic {
 public:
  explicit Logistic(const tally_head& head) {
    for (int i = 0; i < 256; ++i) {
      const int raw = i + std::numeric_limits<Raw>::min();
      table_[i] = sigmoid(head.scale * static_cast<float>(int64_t{raw} - head.zero_point));
    }
  }
  float operator()(Raw raw) const { return table_[raw - std::numeric_limits<Raw>::min()]; }
  /// Whether the probability of `raw` may reach `confidence`.
  auto reaches(float confidence) const {
    const auto first = std::lower_bound(table_.begin(), table_.end(), confidence);
    const int least = static_cast<int>(first - table_.begin()) + std::numeric_limits<Raw>::min();
    return [least](Raw raw) { return raw >= least; };
  }

 private:
  std::array<float, 256> table_;
};

/// The smallest value whose probability may reach `confidence`: a hair low, so that rounding loses
/// nothing; the exact test follows on the product.
inline float least_logit(float confidence) {
  if (confidence <= 0) return -std::numeric_limits<float>::infinity();
  const float reachable = std::min(confidence, 0.9999f);
  return logarithm(reachable / (1 - reachable)) - 1e-3f;
}

struct FloatLogistic {
  explicit FloatLogistic(const tally_head&) {}
  template <typename Raw>
  float operator()(Raw raw) const {
    return sigmoid(to_float(raw));
  }
  static auto reaches(float confidence) {
    const float least = least_logit(confidence);
    return [least](auto raw) { return to_float(raw) >= least; };
  }
};
template <>
class Logistic<float> : public FloatLogistic {
  using FloatLogistic::FloatLogistic;
};
template <>
class Logistic<Half> : public FloatLogistic {
  using FloatLogistic::FloatLogistic;
};

}  // namespace tally
