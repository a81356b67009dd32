#include "exact_floats.h"

#include "traffic.h"

#include <algorithm>
#include <cmath>

#include "elementary.h"

namespace tally {
namespace {

constexpr float kMemory = 60.0f;          // seconds in which knowledge fades to 1/e
constexpr float kKnownInCell = 4.0f;      // objects that make a direction known in a cell,
constexpr float kKnownInFrame = 10.0f;    // or, where a cell has seen too few, in the frame
constexpr float kCoherence = 0.9f;        // share of the directions that must agree
constexpr float kOpposingCosine = -0.3f;  // of the angle between a step and the direction

bool opposes(Point direction, float objects, Point step) {
  const float agreement = length(direction);
  return agreement > kCoherence * objects &&
         dot(direction, step) < kOpposingCosine * agreement * length(step);
}

}  // namespace

void Traffic::add(Point at, Point velocity, int32_t& cell) {
  const float speed = length(velocity);
  const int32_t here = index(at);
  if (!(speed > 0) || here == cell) return;
  const Point direction = velocity * (1 / speed);
  for (Cell* entered : {&cells_[here], cell == kNowhere ? &all_ : nullptr})
    if (entered != nullptr) {
      entered->direction = entered->direction + direction;
      entered->objects += 1;
    }
  cell = here;
}

void Traffic::fade(float seconds) {
  const float kept = exponential(-seconds / kMemory);
  const auto fade = [&](Cell& cell) {
    cell.direction = cell.direction * kept;
    cell.objects *= kept;
  };
  std::for_each(cells_.begin(), cells_.end(), fade);
  fade(all_);
}

bool Traffic::knows(Point from, Point to) const {
  return cell(from).objects >= kKnownInCell || cell(to).objects >= kKnownInCell ||
         all_.objects >= kKnownInFrame;
}

bool Traffic::opposes(Point from, Point to) const {
  const Point step = to - from;
  bool known = false;
  for (const Cell* one : {&cell(from), &cell(to)}) {
    if (one->objects < kKnownInCell) continue;
    if (tally::opposes(one->direction, one->objects, step)) return true;
    known = true;
  }
  return !known && all_.objects >= kKnownInFrame &&
         tally::opposes(all_.direction, all_.objects, step);
}

int32_t Traffic::index(Point p) const {
  const auto part = [](float value, float side, int32_t count) {
    const float at = std::clamp(value / side, 0.0f, 1.0f) * static_cast<float>(count);
    return std::min(static_cast<int32_t>(at), count - 1);
  };
  return part(p.y, frame_.height, kRows) * kColumns + part(p.x, frame_.width, kColumns);
}

}  // namespace tally
