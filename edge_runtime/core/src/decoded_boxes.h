// Boxes that the model has decoded itself, as exporters of others write them.
#pragma once

#include <vector>

#include "decode.h"
#include "tally.h"

namespace tally {

/// Append the boxes of a checked head whose `decoded` is not TALLY_LOGITS to `candidates`, in their
/// order. Boxes without an area are left out.
void read_boxes(const tally_head& head, const tally_decoder_options& options,
                std::vector<Candidate>& candidates);

}  // namespace tally
