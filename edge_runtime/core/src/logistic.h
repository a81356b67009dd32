// Raw values of a head as probabilities, and which of them may reach a threshold.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <type_traits>

#include "elementary.h"
#include "head_view.h"

namespace tally {

inline float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }

/// What the 256 raw values of an integer head stand for; kept from frame to frame, since only the
/// scale and the zero point decide.
class HeadTables {
 public:
  using Values = std::array<float, 256>;

  /// The probabilities of raw values from `least` on.
  const Values& probabilities(const tally_head& head, int least) {
    renew(head);
    if (!has_probabilities_) {
      for (int i = 0; i < 256; ++i)
        probabilities_[i] = sigmoid(scale_ * static_cast<float>(int64_t{i} + least - zero_point_));
      has_probabilities_ = true;
    }
    return probabilities_;
  }
  /// exp of 0, -1, -2, ... steps.
  const Values& powers(const tally_head& head) {
    renew(head);
    if (!has_powers_) {
      for (int i = 0; i < 256; ++i) powers_[i] = exponential(-scale_ * static_cast<float>(i));
      has_powers_ = true;
    }
    return powers_;
  }

 private:
  void renew(const tally_head& head) {
    if (dtype_ == head.dtype && scale_ == head.scale && zero_point_ == head.zero_point) return;
    dtype_ = head.dtype;
    scale_ = head.scale;
    zero_point_ = head.zero_point;
    has_probabilities_ = has_powers_ = false;
  }

  int32_t dtype_ = -1;
  int32_t zero_point_ = 0;
  float scale_ = 0;
  bool has_probabilities_ = false;
  bool has_powers_ = false;
  Values probabilities_{};
  Values powers_{};
};

/// Raw value to probability; integer heads have only 256 of them.
template <typename Raw>
class Logistic {
 public:
  Logistic(const tally_head& head, HeadTables& tables)
      : table_(tables.probabilities(head, kLeast)) {}
  float operator()(Raw raw) const { return table_[raw - kLeast]; }
  /// Whether the probability of `raw` may reach `confidence`.
  auto reaches(float confidence) const {
    const auto first = std::lower_bound(table_.begin(), table_.end(), confidence);
    const int least = static_cast<int>(first - table_.begin()) + kLeast;
    return [least](Raw raw) { return raw >= least; };
  }

 private:
  static constexpr int kLeast = std::is_signed_v<Raw> ? -128 : 0;
  const HeadTables::Values& table_;
};

/// The smallest value whose probability may reach `confidence`: a hair low, so that rounding loses
/// nothing; the exact test follows on the product.
inline float least_logit(float confidence) {
  if (confidence <= 0) return -std::numeric_limits<float>::infinity();
  const float reachable = std::min(confidence, 0.9999f);
  return logarithm(reachable / (1 - reachable)) - 1e-3f;
}

struct FloatLogistic {
  FloatLogistic(const tally_head&, HeadTables&) {}
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
