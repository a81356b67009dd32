// Raw YOLOv5 heads to detections: threshold, decode, suppress.
#pragma once

#include <string>
#include <vector>

#include "logistic.h"
#include "suppress.h"
#include "tally.h"

namespace tally {

class Decoder {
 public:
  explicit Decoder(const tally_decoder_options& options);

  const tally_decoder_options& options() const { return options_; }
  /// The detections of one frame, best first; valid until the next call.
  const std::vector<tally_detection>& run(const tally_head* heads, int num_heads,
                                          const tally_letterbox& letterbox);

  std::string error;

 private:
  void find_candidates(const tally_head& head, HeadTables& tables);
  template <typename Raw>
  void decode_head(const tally_head& head, HeadTables& tables);
  template <typename Raw, typename Logistic>
  void decode_cell(const tally_head& head, const Raw* cell, size_t step, int anchor, int x, int y,
                   const Logistic& logistic);

  tally_decoder_options options_;
  std::vector<HeadTables> tables_;  // of each head
  std::vector<Candidate> candidates_;
  Suppressor suppressor_;
  std::vector<tally_detection> detections_;
};

}  // namespace tally
