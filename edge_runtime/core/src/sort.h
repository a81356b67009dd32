#pragma once

#include <cstdlib>
#include <vector>

namespace tally {

/// Sort by the C library, which needs less code than std::sort for every type; it may not get the
/// null pointer of an empty vector.
template <typename Item>
void sort_items(std::vector<Item>& items, int (*compare)(const void*, const void*)) {
  if (!items.empty()) std::qsort(items.data(), items.size(), sizeof(Item), compare);
}

}  // namespace tally
