// Which detection belongs to which track: the cheapest one-to-one assignment.
#pragma once

#include <cstddef>
#include <vector>

namespace tally {

/// Costs of matching row r with column c, below what leaving a row alone costs; pairs that cost as
/// much may not match.
class CostMatrix {
 public:
  CostMatrix(int rows, int columns, float alone)
      : rows_(rows),
        columns_(columns),
        alone_(alone),
        values_(static_cast<size_t>(rows) * columns, alone) {}
  float alone() const { return alone_; }
  int rows() const { return rows_; }
  int columns() const { return columns_; }
  float& at(int row, int column) { return values_[static_cast<size_t>(row) * columns_ + column]; }
  float at(int row, int column) const {
    return values_[static_cast<size_t>(row) * columns_ + column];
  }

 private:
  int rows_;
  int columns_;
  float alone_;
  std::vector<float> values_;
};

/// Column of each row, -1 for none, of minimum total cost: two poor pairs do not beat a good one
/// (Jonker and Volgenant 1987, shortest augmenting paths; O(n^3)).
std::vector<int> assign(const CostMatrix& costs);

}  // namespace tally
