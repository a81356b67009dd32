#include "exact_floats.h"

#include "sparse_assignment.h"

#include <algorithm>
#include <numeric>

#include "assignment.h"

namespace tally {
namespace {

/// Disjoint sets of nodes (Tarjan 1975, with path halving).
class Components {
 public:
  explicit Components(size_t nodes) : parent_(nodes) {
    std::iota(parent_.begin(), parent_.end(), size_t{0});
  }
  size_t find(size_t node) {
    while (parent_[node] != node) node = parent_[node] = parent_[parent_[node]];
    return node;
  }
  void join(size_t a, size_t b) { parent_[find(a)] = find(b); }

 private:
  std::vector<size_t> parent_;
};

std::vector<size_t> sorted_values(std::vector<size_t> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

int position(const std::vector<size_t>& values, size_t value) {
  const auto at = std::lower_bound(values.begin(), values.end(), value);
  return static_cast<int>(at - values.begin());
}

/// Solve one component, whose pairs are `first` to `last`.
void solve(const Pair* first, const Pair* last, float alone, std::vector<int>& column_of) {
  if (last - first == 1) {
    column_of[first->row] = static_cast<int>(first->column);
    return;
  }
  std::vector<size_t> rows, columns;
  for (const Pair* pair = first; pair != last; ++pair) {
    rows.push_back(pair->row);
    columns.push_back(pair->column);
  }
  rows = sorted_values(std::move(rows));
  columns = sorted_values(std::move(columns));
  CostMatrix costs(static_cast<int>(rows.size()), static_cast<int>(columns.size()), alone);
  for (const Pair* pair = first; pair != last; ++pair)
    costs.at(position(rows, pair->row), position(columns, pair->column)) = pair->cost;
  const std::vector<int> found = assign(costs);
  for (size_t r = 0; r < rows.size(); ++r)
    if (found[r] >= 0) column_of[rows[r]] = static_cast<int>(columns[found[r]]);
}

}  // namespace

void keep_unambiguous(std::vector<Pair>& pairs, size_t rows, size_t columns) {
  std::vector<int> in_row(rows), in_column(columns);
  for (const Pair& pair : pairs) ++in_row[pair.row], ++in_column[pair.column];
  const auto ambiguous = [&](const Pair& pair) {
    return in_row[pair.row] > 1 || in_column[pair.column] > 1;
  };
  pairs.erase(std::remove_if(pairs.begin(), pairs.end(), ambiguous), pairs.end());
}

std::vector<int> assign(const std::vector<Pair>& pairs, size_t rows, size_t columns, float alone) {
  std::vector<int> column_of(rows, -1);
  Components components(rows + columns);
  for (const Pair& pair : pairs) components.join(pair.row, rows + pair.column);
  // Sort the pairs by component, counting first.
  std::vector<size_t> end(rows + columns + 1, 0);
  for (const Pair& pair : pairs) ++end[components.find(pair.row) + 1];
  std::partial_sum(end.begin(), end.end(), end.begin());
  std::vector<Pair> sorted(pairs.size());
  std::vector<size_t> next = end;
  for (const Pair& pair : pairs) sorted[next[components.find(pair.row)]++] = pair;
  for (size_t c = 0; c + 1 < end.size(); ++c)
    if (end[c] < end[c + 1])
      solve(sorted.data() + end[c], sorted.data() + end[c + 1], alone, column_of);
  return column_of;
}

BoxIndex::BoxIndex(const std::vector<Box>& boxes) {
  entries_.reserve(boxes.size());
  for (size_t i = 0; i < boxes.size(); ++i) {
    entries_.push_back({boxes[i], i});
    widest_ = std::max(widest_, static_cast<double>(boxes[i].x2) - boxes[i].x1);
  }
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.box.x1 < b.box.x1; });
}

std::vector<BoxIndex::Entry>::const_iterator BoxIndex::first_from(double x1) const {
  return std::lower_bound(entries_.begin(), entries_.end(), x1,
                          [](const Entry& entry, double value) { return entry.box.x1 < value; });
}

}  // namespace tally
