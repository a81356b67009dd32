// Raw YOLOv5 heads to detections: threshold, decode, suppress.
#pragma once

#include <string>
#include <vector>

#include "geometry.h"
#include "tally.h"

namespace tally {

struct Candidate {
  Box box;  // engine input pixels
  float confidence;
  int32_t class_id;
};

/// Greedy non-maximum suppression, best first, ties in the order given. Boxes of one class are the
/// same object above `iou`, boxes of two classes above `cross_class_iou` (1 or more: never).
std::vector<Candidate> suppress(std::vector<Candidate> candidates, float iou, float cross_class_iou,
                                size_t max_candidates, size_t max_detections);

class Decoder {
 public:
  explicit Decoder(const tally_decoder_options& options);

  const tally_decoder_options& options() const { return options_; }
  std::vector<tally_detection> run(const tally_head* heads, int num_heads,
                                   const tally_letterbox& letterbox);

  std::string error;

 private:
  template <typename Raw>
  void decode_head(const tally_head& head);
  template <typename Raw, typename Logistic>
  void decode_cell(const tally_head& head, const Raw* cell, size_t step, int anchor, int x, int y,
                   const Logistic& logistic);

  tally_decoder_options options_;
  std::vector<Candidate> candidates_;
};

}  // namespace tally
