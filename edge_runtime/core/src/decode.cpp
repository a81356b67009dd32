#include "exact_floats.h"

#include "decode.h"

#include <algorithm>
#include <cmath>

#include "best_class.h"
#include "decoded_boxes.h"
#include "distribution_head.h"
#include "handle.h"
#include "head_view.h"
#include "logistic.h"
#include "options.h"

namespace tally {
namespace {

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
  // The scale of a quantized output may reach beyond 1.
  const float confidence = std::min(candidate.confidence, 1.0f);
  return {x(box.x1), y(box.y1), x(box.x2), y(box.y2), confidence, candidate.class_id};
}

}  // namespace

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
  const int best = best_class(classes, step, options_.num_classes);
  const float confidence = objectness * logistic(classes[best * step]);
  if (confidence >= options_.confidence) add(best, confidence);
}

template <typename Raw>
void Decoder::decode_head(const tally_head& head, HeadTables& tables) {
  const Logistic<Raw> logistic(head, tables);
  const auto reaches = logistic.reaches(options_.confidence);
  const Raw* data = static_cast<const Raw*>(head.data);
  const size_t channels = kBoxChannels + static_cast<size_t>(options_.num_classes);
  const Strides strides = strides_of(head, channels * static_cast<size_t>(head.num_anchors));
  const size_t anchor_step = channels * strides.channel;
  // Most cells are empty: nothing of them is dequantized. NaN fails the test, too.
  const auto visit = [&](const Raw* cell, int anchor, int x, int y) {
    if (reaches(cell[4 * strides.channel]))
      decode_cell(head, cell, strides.channel, anchor, x, y, logistic);
  };
  // In the order of memory: NHWC holds the anchors of a cell together, NCHW the cells of an anchor.
  if (head.layout == TALLY_NHWC) {
    for (int y = 0; y < head.height; ++y)
      for (int x = 0; x < head.width; ++x) {
        const Raw* cell = data + y * strides.row + x * strides.column;
        for (int anchor = 0; anchor < head.num_anchors; ++anchor, cell += anchor_step)
          visit(cell, anchor, x, y);
      }
    return;
  }
  for (int anchor = 0; anchor < head.num_anchors; ++anchor, data += anchor_step)
    for (int y = 0; y < head.height; ++y) {
      const Raw* cell = data + y * strides.row;
      for (int x = 0; x < head.width; ++x, cell += strides.column) visit(cell, anchor, x, y);
    }
}

void Decoder::find_candidates(const tally_head& head, HeadTables& tables) {
  if (head.decoded != TALLY_LOGITS) {
    read_boxes(head, options_, candidates_);
    return;
  }
  if (head.reg_max > 0) {
    decode_distribution(head, options_, tables, candidates_);
    return;
  }
  switch (head.dtype) {
    case TALLY_UINT8: decode_head<uint8_t>(head, tables); break;
    case TALLY_INT8: decode_head<int8_t>(head, tables); break;
    case TALLY_FLOAT16: decode_head<Half>(head, tables); break;
    default: decode_head<float>(head, tables);
  }
}

const std::vector<tally_detection>& Decoder::run(const tally_head* heads, int num_heads,
                                                 const tally_letterbox& letterbox) {
  require(std::isfinite(letterbox.gain_x) && letterbox.gain_x > 0 &&
              std::isfinite(letterbox.gain_y) && letterbox.gain_y > 0,
          "letterbox gains must be above zero");
  for (int i = 0; i < num_heads; ++i) check_head(heads[i], options_.num_classes);
  tables_.resize(static_cast<size_t>(num_heads));
  candidates_.clear();
  for (int i = 0; i < num_heads; ++i) find_candidates(heads[i], tables_[static_cast<size_t>(i)]);
  // A NaN or infinity in a float head must not reach the tracker.
  candidates_.erase(std::remove_if(candidates_.begin(), candidates_.end(),
                                   [](const Candidate& candidate) {
                                     return !std::isfinite(candidate.box.area());
                                   }),
                    candidates_.end());
  const auto& kept = suppressor_.run(candidates_, {options_.iou, options_.cross_class_iou,
                                                   static_cast<size_t>(options_.max_candidates),
                                                   static_cast<size_t>(options_.max_detections)});
  detections_.clear();
  for (const Candidate& candidate : kept) detections_.push_back(to_source(candidate, letterbox));
  return detections_;
}

}  // namespace tally
