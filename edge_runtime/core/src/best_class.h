// The best class of every cell of a row, found in the order of memory, so that compilers use
// vectors.
#pragma once

#include <cstddef>
#include <type_traits>

#include "head_view.h"

namespace tally {

/// The largest of `count` values that lie `step` apart.
template <typename Raw>
Raw largest(const Raw* values, size_t step, size_t count) {
  Raw best = values[0];
  if (step == 1) {
    for (size_t i = 1; i < count; ++i) best = values[i] > best ? values[i] : best;
  } else {
    for (size_t i = 1; i < count; ++i)
      if (values[i * step] > best) best = values[i * step];
  }
  return best;
}

/// The largest class value of each of `width` cells to `best`; `first` is class 0 of the first
/// cell. The order of raw values is the order of probabilities.
template <typename Raw>
void find_best(const Raw* first, const Strides& strides, size_t width, size_t classes, Raw* best) {
  if (strides.channel < strides.column) {
    for (size_t x = 0; x < width; ++x)
      best[x] = largest(first + x * strides.column, strides.channel, classes);
    return;
  }
  for (size_t x = 0; x < width; ++x) best[x] = first[x * strides.column];
  for (size_t c = 1; c < classes; ++c) {
    const Raw* plane = first + c * strides.channel;
    if (strides.column == 1) {
      for (size_t x = 0; x < width; ++x) best[x] = plane[x] > best[x] ? plane[x] : best[x];
    } else {
      for (size_t x = 0; x < width; ++x) {
        const Raw raw = plane[x * strides.column];
        if (raw > best[x]) best[x] = raw;
      }
    }
  }
}

/// The first class with the largest value; `classes` is that of class 0.
template <typename Raw>
int best_class(const Raw* classes, size_t step, int count) {
  int best = 0;
  if constexpr (std::is_integral_v<Raw>) {
    if (step == 1) {  // two loops of independent steps are faster than one that remembers
      const Raw most = largest(classes, 1, static_cast<size_t>(count));
      while (classes[best] != most) ++best;
      return best;
    }
  }
  for (int c = 1; c < count; ++c)
    if (classes[c * step] > classes[best * step]) best = c;
  return best;
}

}  // namespace tally
