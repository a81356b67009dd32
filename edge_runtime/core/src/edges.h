// Over the edge of the picture, where an object is cut and then gone.
#pragma once

#include <optional>

#include "geometry.h"

namespace tally {

struct Frame {
  float width;
  float height;
};

/// How `box`, last seen at this place and moving at `velocity` (pixels a second), goes on until
/// nothing of it is left in the picture; nothing if it does not reach an edge within `seconds`.
/// With the velocity turned round it is the way on which an object came in.
std::optional<Point> way_out(const Box& box, Point velocity, float seconds, Frame frame);

}  // namespace tally
