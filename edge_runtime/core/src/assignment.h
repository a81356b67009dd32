// Which detection belongs to which track: the cheapest one-to-one assignment.
#pragma once

#include <cstddef>
#include <vector>

namespace tally {

/// Costs of matching row r with column c; kForbidden where they may not match.
class CostMatrix {
 public:
  static constexpr float kForbidden = 1e6f;

  CostMatrix(int rows, int columns)
      : rows_(rows), columns_(columns), values_(static_cast<size_t>(rows) * columns, kForbidden) {}
  int rows() const { return rows_; }
  int columns() const { return columns_; }
  float& at(int row, int column) { return values_[static_cast<size_t>(row) * columns_ + column]; }
  float at(int row, int column) const {
    return values_[static_cast<size_t>(row) * columns_ + column];
  }

 private:
  int rows_;
  int columns_;
  std::vector<float> values_;
};

/// Column of each row, -1 for none. As many allowed pairs as possible, of least total cost
/// (Jonker and Volgenant 1987, shortest augmenting paths; O(n^3)).
std::vector<int> assign(const CostMatrix& costs);

}  // namespace tally
