#include "decode.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "handle.h"
#include "options.h"

namespace tally {
namespace {

constexpr int kBoxChannels = 5;  // x, y, w, h, objectness
constexpr int kMaxSide = 1 << 13;

float sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

/// Raw value to probability; integer heads have only 256 of them.
template <typename Raw>
class Logistic {
 public:
  explicit Logistic(const tally_head& head) {
    for (int i = 0; i < 256; ++i) {
      const int raw = i + std::numeric_limits<Raw>::min();
      table_[i] = sigmoid(head.scale * static_cast<float>(raw - head.zero_point));
    }
  }
  float operator()(Raw raw) const { return table_[raw - std::numeric_limits<Raw>::min()]; }
  /// The smallest raw value whose probability reaches `confidence`; above the range if none does.
  int minimum(float confidence) const {
    const auto first = std::lower_bound(table_.begin(), table_.end(), confidence);
    return static_cast<int>(first - table_.begin()) + std::numeric_limits<Raw>::min();
  }

 private:
  std::array<float, 256> table_;
};

template <>
class Logistic<float> {
 public:
  explicit Logistic(const tally_head&) {}
  float operator()(float raw) const { return sigmoid(raw); }
  /// A hair low, so that rounding loses nothing; the exact test follows on the product.
  float minimum(float confidence) const {
    if (confidence <= 0) return -std::numeric_limits<float>::infinity();
    const float reachable = std::min(confidence, 0.9999f);
    return std::log(reachable / (1 - reachable)) - 1e-3f;
  }
};

void check_head(const tally_head& head, int num_classes) {
  require(head.data != nullptr && head.anchors != nullptr, "head data or anchors are NULL");
  require(head.width >= 1 && head.width <= kMaxSide && head.height >= 1 && head.height <= kMaxSide,
          "head sides must be 1 to 8192");
  require(head.num_anchors >= 1 && head.num_anchors <= 64, "a head has 1 to 64 anchors");
  require(head.stride >= 1 && head.stride <= 1024, "head stride must be 1 to 1024");
  require(head.dtype >= TALLY_UINT8 && head.dtype <= TALLY_FLOAT32, "unknown head dtype");
  require(head.layout == TALLY_NHWC || head.layout == TALLY_NCHW, "unknown head layout");
  require(head.dtype == TALLY_FLOAT32 || (std::isfinite(head.scale) && head.scale > 0),
          "head scale must be above zero");
  const size_t size = head.dtype == TALLY_FLOAT32 ? 4 : 1;
  const size_t channels = static_cast<size_t>(head.num_anchors) * (kBoxChannels + num_classes);
  require(head.bytes == channels * head.width * head.height * size,
          "head buffer has not the size of its shape");
  for (int i = 0; i < 2 * head.num_anchors; ++i)
    require(std::isfinite(head.anchors[i]) && head.anchors[i] > 0, "anchors must be above zero");
}

tally_detection to_source(const Candidate& candidate, const tally_letterbox& letterbox) {
  const auto width = static_cast<float>(letterbox.source_width);
  const auto height = static_cast<float>(letterbox.source_height);
  const auto x = [&](float v) {
    return std::clamp((v - static_cast<float>(letterbox.pad_x)) / letterbox.gain_x, 0.0f, width);
  };
  const auto y = [&](float v) {
    return std::clamp((v - static_cast<float>(letterbox.pad_y)) / letterbox.gain_y, 0.0f, height);
  };
  const Box& box = candidate.box;
  return {x(box.x1), y(box.y1), x(box.x2), y(box.y2), candidate.confidence, candidate.class_id};
}

}  // namespace

std::vector<Candidate> suppress(std::vector<Candidate> candidates, float iou_limit,
                                float cross_class_limit, size_t max_candidates,
                                size_t max_detections) {
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const auto& a, const auto& b) { return a.confidence > b.confidence; });
  if (candidates.size() > max_candidates) candidates.resize(max_candidates);
  std::vector<Candidate> kept;
  for (const Candidate& candidate : candidates) {
    const bool repeated = std::any_of(kept.begin(), kept.end(), [&](const Candidate& better) {
      const float limit = better.class_id == candidate.class_id ? iou_limit : cross_class_limit;
      return limit < 1 && iou(better.box, candidate.box) > limit;
    });
    if (!repeated) kept.push_back(candidate);
    if (kept.size() == max_detections) break;
  }
  return kept;
}

Decoder::Decoder(const tally_decoder_options& options) : options_(options) { check(options); }

template <typename Raw, typename Logistic>
void Decoder::decode_cell(const tally_head& head, const Raw* cell, size_t step, int anchor, int x,
                          int y, const Logistic& logistic) {
  const float objectness = logistic(cell[4 * step]);
  const auto offset = [&](int channel) { return 2 * logistic(cell[channel * step]); };
  // Box arithmetic of YOLOv5: center (2s - 0.5 + cell) * stride, size (2s)^2 * anchor.
  const auto add = [&](int class_id, float confidence) {
    const auto stride = static_cast<float>(head.stride);
    const float cx = (offset(0) - 0.5f + static_cast<float>(x)) * stride;
    const float cy = (offset(1) - 0.5f + static_cast<float>(y)) * stride;
    const float w = offset(2) * offset(2) * head.anchors[2 * anchor];
    const float h = offset(3) * offset(3) * head.anchors[2 * anchor + 1];
    candidates_.push_back({{cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2}, confidence, class_id});
  };
  const Raw* classes = cell + kBoxChannels * step;
  if (options_.multi_label) {
    for (int c = 0; c < options_.num_classes; ++c) {
      const float confidence = objectness * logistic(classes[c * step]);
      if (confidence >= options_.confidence) add(c, confidence);
    }
    return;
  }
  int best = 0;  // the order of raw values is the order of probabilities
  for (int c = 1; c < options_.num_classes; ++c)
    if (classes[c * step] > classes[best * step]) best = c;
  const float confidence = objectness * logistic(classes[best * step]);
  if (confidence >= options_.confidence) add(best, confidence);
}

template <typename Raw>
void Decoder::decode_head(const tally_head& head) {
  const Logistic<Raw> logistic(head);
  const auto minimum = logistic.minimum(options_.confidence);
  const Raw* data = static_cast<const Raw*>(head.data);
  const size_t channels = kBoxChannels + static_cast<size_t>(options_.num_classes);
  const size_t cells = static_cast<size_t>(head.width) * head.height;
  const auto anchors = static_cast<size_t>(head.num_anchors);
  const bool last = head.layout == TALLY_NHWC;
  const size_t step = last ? 1 : cells;
  // Most cells are empty: nothing of them is dequantized. NaN fails the test, too.
  const auto visit = [&](const Raw* cell, size_t anchor, size_t at) {
    decode_cell(head, cell, step, static_cast<int>(anchor), static_cast<int>(at % head.width),
                static_cast<int>(at / head.width), logistic);
  };
  // In the order of memory: NHWC holds the anchors of a cell together, NCHW the cells of an anchor.
  if (last) {
    for (size_t i = 0; i < cells * anchors; ++i, data += channels)
      if (data[4] >= minimum) visit(data, i % anchors, i / anchors);
    return;
  }
  for (size_t anchor = 0; anchor < anchors; ++anchor, data += channels * cells)
    for (size_t at = 0; at < cells; ++at)
      if (data[4 * cells + at] >= minimum) visit(data + at, anchor, at);
}

std::vector<tally_detection> Decoder::run(const tally_head* heads, int num_heads,
                                          const tally_letterbox& letterbox) {
  require(std::isfinite(letterbox.gain_x) && letterbox.gain_x > 0 &&
              std::isfinite(letterbox.gain_y) && letterbox.gain_y > 0,
          "letterbox gains must be above zero");
  for (int i = 0; i < num_heads; ++i) check_head(heads[i], options_.num_classes);
  candidates_.clear();
  for (int i = 0; i < num_heads; ++i) {
    if (heads[i].dtype == TALLY_FLOAT32)
      decode_head<float>(heads[i]);
    else if (heads[i].dtype == TALLY_INT8)
      decode_head<int8_t>(heads[i]);
    else
      decode_head<uint8_t>(heads[i]);
  }
  // A NaN or infinity in a float head must not reach the tracker.
  candidates_.erase(std::remove_if(candidates_.begin(), candidates_.end(),
                                   [](const Candidate& candidate) {
                                     return !std::isfinite(candidate.box.area());
                                   }),
                    candidates_.end());
  const auto kept = suppress(candidates_, options_.iou, options_.cross_class_iou,
                             static_cast<size_t>(options_.max_candidates),
                             static_cast<size_t>(options_.max_detections));
  std::vector<tally_detection> detections;
  detections.reserve(kept.size());
  for (const Candidate& candidate : kept) detections.push_back(to_source(candidate, letterbox));
  return detections;
}

}  // namespace tally
