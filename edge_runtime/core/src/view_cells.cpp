#include "exact_floats.h"

#include "view_cells.h"

#include <algorithm>
#include <vector>

#include "row_reader.h"

namespace tally {
namespace {

/// One of `parts` equal parts of `length` pixels, which may begin and end inside of a pixel. A
/// whole pixel has weight `parts`, and all weights of a part add up to `length`.
class Part {
 public:
  Part(int64_t index, int64_t parts, int64_t length)
      : parts_(parts),
        begin_(index * length),
        end_(begin_ + length) {}

  int first() const { return static_cast<int>(begin_ / parts_); }
  int end() const { return static_cast<int>((end_ + parts_ - 1) / parts_); }
  uint32_t weight(int64_t pixel) const {
    return static_cast<uint32_t>(std::min((pixel + 1) * parts_, end_) -
                                 std::max(pixel * parts_, begin_));
  }

 private:
  int64_t parts_, begin_, end_;
};

/// The nearest whole number, of two the even one.
uint32_t rounded(uint64_t sum, uint64_t count) {
  const uint64_t whole = sum / count, twice = 2 * (sum % count);
  return static_cast<uint32_t>(whole + (twice > count || (twice == count && whole % 2 == 1)));
}

/// BT.601 in 15 bits.
uint8_t gray(uint32_t red, uint32_t green, uint32_t blue) {
  return static_cast<uint8_t>((9798 * red + 19235 * green + 3735 * blue + (1 << 14)) >> 15);
}

}  // namespace

void view_cells(const tally_image& image, uint8_t* cells) {
  check_image(image);
  ReaderBuffers buffers;
  RowReader reader(image, buffers);
  const auto width = static_cast<size_t>(reader.width());
  const auto step = static_cast<size_t>(reader.pixel_bytes());
  const uint64_t area = width * static_cast<uint64_t>(reader.height());
  std::vector<uint8_t> scratch(4 * width);
  std::vector<uint32_t> sums(step * width);
  for (int row = 0; row < TALLY_VIEW_ROWS; ++row) {
    std::fill(sums.begin(), sums.end(), 0);
    const Part lines(row, TALLY_VIEW_ROWS, reader.height());
    for (int y = lines.first(); y < lines.end(); ++y) {
      const uint8_t* pixels = reader.row(y, scratch.data());
      const uint32_t weight = lines.weight(y);
      for (size_t i = 0; i < sums.size(); ++i) sums[i] += weight * pixels[i];
    }
    for (int column = 0; column < TALLY_VIEW_COLUMNS; ++column) {
      const Part across(column, TALLY_VIEW_COLUMNS, reader.width());
      uint64_t total[3] = {};
      for (int x = across.first(); x < across.end(); ++x)
        for (size_t channel = 0; channel < 3; ++channel)
          total[channel] +=
              uint64_t{across.weight(x)} * sums[step * static_cast<size_t>(x) + channel];
      if (!reader.blue_first()) std::swap(total[0], total[2]);
      *cells++ = gray(rounded(total[2], area), rounded(total[1], area), rounded(total[0], area));
    }
  }
}

}  // namespace tally
