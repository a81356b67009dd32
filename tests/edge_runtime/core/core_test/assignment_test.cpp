// Matching of boxes to tracks.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "assignment.h"
#include "checks.h"
#include "sparse_assignment.h"

namespace {

/// Minimum cost over all permutations, for up to six rows.
float cheapest(const tally::CostMatrix& costs) {
  std::vector<int> columns(costs.columns());
  std::iota(columns.begin(), columns.end(), 0);
  float best = std::numeric_limits<float>::infinity();
  do {
    float sum = 0;
    for (int r = 0; r < std::min(costs.rows(), costs.columns()); ++r)
      sum += costs.at(r, columns[r]);
    best = std::min(best, sum);
  } while (std::next_permutation(columns.begin(), columns.end()));
  return best;
}

/// Sum of the costs of an assignment; rows that are left alone cost `alone`.
float total(const tally::CostMatrix& costs, const std::vector<int>& column_of) {
  float sum = 0;
  for (int r = 0; r < costs.rows(); ++r)
    sum += column_of[r] < 0 ? costs.alone() : costs.at(r, column_of[r]);
  return sum;
}

/// Few pairs of many can match, in components of all sizes: as cheap as all in one matrix.
void test_sparse_assignment_is_as_cheap() {
  std::mt19937 random(5);
  std::uniform_real_distribution<float> uniform(0, 1);
  for (int round = 0; round < 400; ++round) {
    const int rows = 1 + static_cast<int>(random() % 14),
              columns = 1 + static_cast<int>(random() % 14);
    const float share = uniform(random);
    tally::CostMatrix costs(rows, columns, 1);
    std::vector<tally::Pair> pairs;
    for (int r = 0; r < rows; ++r)
      for (int c = 0; c < columns; ++c)
        if (uniform(random) < share) {
          costs.at(r, c) = uniform(random);
          pairs.push_back({static_cast<size_t>(r), static_cast<size_t>(c), costs.at(r, c)});
        }
    std::shuffle(pairs.begin(), pairs.end(), random);
    const auto column_of = tally::assign(pairs, rows, columns, 1);
    std::vector<bool> used(columns);
    for (int r = 0; r < rows; ++r) {
      if (column_of[r] < 0) continue;
      CHECK(!used[column_of[r]] && costs.at(r, column_of[r]) < 1);
      used[column_of[r]] = true;
    }
    CHECK(std::abs(total(costs, column_of) - total(costs, tally::assign(costs))) < 1e-4f);
  }
}

void test_only_unambiguous_pairs_are_left() {
  std::vector<tally::Pair> pairs = {
      {0, 0, .1f}, {1, 1, .2f}, {1, 2, .9f}, {3, 2, .1f}, {4, 4, .5f}};
  tally::keep_unambiguous(pairs, 5, 5);
  CHECK(pairs.size() == 2 && pairs[0].row == 0 && pairs[1].row == 4);
}

/// The index finds what a look at every box finds, huge and infinite boxes included.
void test_box_index_finds_all() {
  std::mt19937 random(6);
  std::uniform_real_distribution<float> at(-100, 100), side(0, 30);
  for (int round = 0; round < 200; ++round) {
    const auto any_box = [&]() -> tally::Box {
      const float x = at(random), y = at(random);
      if (random() % 50 == 0) return {-3e38f, y, 3e38f, y + side(random)};
      return {x, y, x + side(random), y + side(random)};
    };
    std::vector<tally::Box> boxes(random() % 40);
    for (tally::Box& box : boxes) box = any_box();
    const tally::Box part = any_box();
    std::vector<bool> found(boxes.size());
    tally::BoxIndex(boxes).near(part, [&](size_t i) {
      CHECK(!found[i]);
      found[i] = true;
    });
    for (size_t i = 0; i < boxes.size(); ++i)
      CHECK(found[i] == (boxes[i].x1 <= part.x2 && boxes[i].x2 >= part.x1 &&
                         boxes[i].y1 <= part.y2 && boxes[i].y2 >= part.y1));
  }
}

void test_assignment_is_cheapest() {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(0, 1);
  for (int round = 0; round < 300; ++round) {
    const int rows = 1 + round % 5, columns = rows + round % 2;
    tally::CostMatrix costs(rows, columns, 1e6f);
    for (int r = 0; r < rows; ++r)
      for (int c = 0; c < columns; ++c) costs.at(r, c) = uniform(random);
    float sum = 0;
    std::vector<bool> used(columns);
    const auto column_of = tally::assign(costs);
    for (int r = 0; r < rows; ++r) {
      CHECK(column_of[r] >= 0 && !used[column_of[r]]);
      used[column_of[r]] = true;
      sum += costs.at(r, column_of[r]);
    }
    CHECK(std::abs(sum - cheapest(costs)) < 1e-4f);
  }
}

void test_assignment_leaves_forbidden_pairs() {
  tally::CostMatrix costs(3, 2, 1);
  costs.at(0, 0) = 0.5f;
  costs.at(2, 0) = 0.1f;
  const auto column_of = tally::assign(costs);
  CHECK(column_of == (std::vector<int>{-1, -1, 0}));
  CHECK(tally::assign(tally::CostMatrix(0, 4, 1)).empty());
}

void test_assignment_prefers_one_good_pair_to_two_poor_ones() {
  tally::CostMatrix costs(2, 2, 1);
  costs.at(0, 0) = 0.1f;
  costs.at(0, 1) = 0.8f;
  costs.at(1, 0) = 0.7f;
  CHECK(tally::assign(costs) == (std::vector<int>{0, -1}));
}

}  // namespace

void test_assignment() {
  test_sparse_assignment_is_as_cheap();
  test_only_unambiguous_pairs_are_left();
  test_box_index_finds_all();
  test_assignment_is_cheapest();
  test_assignment_leaves_forbidden_pairs();
  test_assignment_prefers_one_good_pair_to_two_poor_ones();
}
