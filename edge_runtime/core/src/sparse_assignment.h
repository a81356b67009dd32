// The cheapest one-to-one assignment where most pairs cannot match: objects far apart.
#pragma once

#include <cstddef>
#include <vector>

#include "geometry.h"

namespace tally {

/// A row and a column that may match, at a cost below what leaving them alone costs.
struct Pair {
  size_t row;
  size_t column;
  float cost;
};

/// Leave only pairs of which neither side has another choice.
void keep_unambiguous(std::vector<Pair>& pairs, size_t rows, size_t columns);

/// Column of each row, -1 for none, of minimum total cost. Pairs that are connected through shared
/// rows or columns are solved together and apart from all others, so that the time depends on how
/// many objects are near each other, not on how many there are.
std::vector<int> assign(const std::vector<Pair>& pairs, size_t rows, size_t columns, float alone);

/// Boxes by position: which of them may touch a part of the frame.
class BoxIndex {
 public:
  explicit BoxIndex(const std::vector<Box>& boxes);

  /// Call `visit(i)` for the boxes that touch `part`, in no order.
  template <typename Visit>
  void near(const Box& part, const Visit& visit) const {
    // In doubles, so that rounding leaves no box out.
    const double first = static_cast<double>(part.x1) - widest_;
    for (auto it = first_from(first); it != entries_.end() && it->box.x1 <= part.x2; ++it)
      if (it->box.x2 >= part.x1 && it->box.y1 <= part.y2 && it->box.y2 >= part.y1) visit(it->index);
  }

 private:
  struct Entry {
    Box box;
    size_t index;
  };
  std::vector<Entry>::const_iterator first_from(double x1) const;

  std::vector<Entry> entries_;  // by x1
  double widest_ = 0;
};

}  // namespace tally
