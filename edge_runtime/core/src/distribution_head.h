// Heads without anchors: box sides as distributions, no objectness (YOLOv5u, YOLOv8, YOLO11).
#pragma once

#include <vector>

#include "decode.h"
#include "tally.h"

namespace tally {

/// Append the boxes of a checked head whose `reg_max` is above 0 to `candidates`, in the order of
/// rows and columns. `tables` are those of this head.
void decode_distribution(const tally_head& head, const tally_decoder_options& options,
                         HeadTables& tables, std::vector<Candidate>& candidates);

}  // namespace tally
