// Mean gray levels of the parts of a frame.
#pragma once

#include <cstdint>

#include "tally.h"

namespace tally {

/// Mean gray levels of the upright image in TALLY_VIEW_ROWS rows of TALLY_VIEW_COLUMNS cells.
void view_cells(const tally_image& image, uint8_t* cells);

}  // namespace tally
