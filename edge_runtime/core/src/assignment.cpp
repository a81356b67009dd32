#include "exact_floats.h"

#include "assignment.h"

#include <limits>

namespace tally {
namespace {

/// The algorithm proper, for rows <= columns; both counted from 1 as in the paper.
std::vector<int> assign_wide(const CostMatrix& costs, bool transposed) {
  const int rows = transposed ? costs.columns() : costs.rows();
  const int columns = transposed ? costs.rows() : costs.columns();
  const auto cost = [&](int row, int column) {
    return static_cast<double>(transposed ? costs.at(column - 1, row - 1)
                                          : costs.at(row - 1, column - 1));
  };
  std::vector<double> row_price(rows + 1), column_price(columns + 1);
  std::vector<int> row_of(columns + 1, 0), came_from(columns + 1, 0);
  for (int row = 1; row <= rows; ++row) {
    row_of[0] = row;
    int column = 0;
    std::vector<double> shortest(columns + 1, std::numeric_limits<double>::infinity());
    std::vector<bool> done(columns + 1, false);
    do {
      done[column] = true;
      double step = std::numeric_limits<double>::infinity();
      int next = 0;
      for (int j = 1; j <= columns; ++j) {
        if (done[j]) continue;
        const double reduced =
            cost(row_of[column], j) - row_price[row_of[column]] - column_price[j];
        if (reduced < shortest[j]) {
          shortest[j] = reduced;
          came_from[j] = column;
        }
        if (shortest[j] < step) {
          step = shortest[j];
          next = j;
        }
      }
      for (int j = 0; j <= columns; ++j) {
        if (done[j]) {
          row_price[row_of[j]] += step;
          column_price[j] -= step;
        } else {
          shortest[j] -= step;
        }
      }
      column = next;
    } while (row_of[column] != 0);
    for (; column != 0; column = came_from[column]) row_of[column] = row_of[came_from[column]];
  }
  return row_of;
}

}  // namespace

std::vector<int> assign(const CostMatrix& costs) {
  std::vector<int> column_of(costs.rows(), -1);
  if (costs.rows() == 0 || costs.columns() == 0) return column_of;
  const bool transposed = costs.rows() > costs.columns();
  const std::vector<int> row_of = assign_wide(costs, transposed);
  for (int j = 1; j < static_cast<int>(row_of.size()); ++j) {
    if (row_of[j] == 0) continue;
    const int row = transposed ? j - 1 : row_of[j] - 1;
    const int column = transposed ? row_of[j] - 1 : j - 1;
    if (costs.at(row, column) < costs.alone()) column_of[row] = column;
  }
  return column_of;
}

}  // namespace tally
