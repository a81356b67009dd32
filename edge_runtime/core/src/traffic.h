// Which way objects move where: what separates a vehicle from the one behind it.
#pragma once

#include <array>
#include <cstdint>

#include "frame_edge.h"
#include "geometry.h"
#include "state.h"

namespace tally {

/// Directions in which objects have been followed, in a grid of cells over the frame.
///
/// Where detections are farther apart in time than objects are in space, the nearest detection is
/// that of the object behind, and a queue of them looks like one object in reverse (the wagon-wheel
/// effect). Steps without overlap against a direction that all objects share are therefore refused.
class Traffic {
 public:
  static constexpr int32_t kNowhere = -1;

  explicit Traffic(FrameSize frame) : frame_(frame) {}

  /// An object that is surely followed moves at `velocity` through `at`. It is counted once in each
  /// cell that it enters; `cell` is the one that it was last counted in.
  void add(Point at, Point velocity, int32_t& cell);
  /// Old knowledge fades, so that directions may change.
  void fade(float seconds);
  /// Whether enough objects have been seen to judge a step.
  bool knows(Point from, Point to) const;
  /// Whether the step from `from` to `to` goes against all that has been seen there.
  bool opposes(Point from, Point to) const;

  template <typename Archive>
  void persist(Archive& archive) {
    for (Cell& cell : cells_) archive(cell.direction, cell.objects);
    archive(all_.direction, all_.objects);
  }
  static bool is_cell(int32_t cell) { return cell >= kNowhere && cell < kColumns * kRows; }

 private:
  static constexpr int32_t kColumns = 8, kRows = 6;

  /// The sum of unit vectors of objects, and their number.
  struct Cell {
    Point direction;
    float objects = 0;
  };

  int32_t index(Point p) const;
  const Cell& cell(Point p) const { return cells_[index(p)]; }

  FrameSize frame_;
  std::array<Cell, kColumns * kRows> cells_{};
  Cell all_{};
};

}  // namespace tally
