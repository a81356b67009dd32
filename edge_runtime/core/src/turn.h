// Columns of a plane as rows: the turn by 90 and 270 degrees, a band of columns at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tally {

/// A plane of samples of 1, 2, 3 or 4 bytes.
struct Plane {
  const uint8_t* data;
  size_t stride;  // bytes from row to row
  int width;      // samples
  int height;
  int sample_bytes;
};

/// Gives the columns of a plane as rows. A band of columns that lie in the same cache lines is
/// turned at once; the last two bands are kept, so that neighbors stay valid together.
class TurnedPlane {
 public:
  /// Read `plane` from now on; `upward`: columns are read from bottom to top.
  void begin(const Plane& plane, bool upward);

  /// Column `x` as contiguous samples; of 3 bytes each come as 4. Valid until two more bands.
  const uint8_t* column(int x);

 private:
  struct Band {
    int first = -1;  // column
    std::vector<uint8_t> rows;
  };
  void turn(Band& band) const;

  Plane plane_{};
  bool upward_ = false;
  int band_columns_ = 0;
  size_t row_bytes_ = 0;
  Band bands_[2];
};

}  // namespace tally
