// Classes from answers that came too late: their boxes are old, their classes are not.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tally.h"

namespace tally {

tally_late_options late_defaults();

/// Gives local detections the class that the bigger model found in the same place. The counter's
/// own vote over the life of a track does the rest.
class Late {
 public:
  explicit Late(const tally_late_options& options);

  void note(const tally_detection* detections, int32_t count, double now_s);
  /// Changes classes in place; returns how many.
  int32_t apply(tally_detection* detections, int32_t count, double now_s) const;

  std::string error;

 private:
  struct Answer {
    double at_s;
    std::vector<tally_detection> objects;
  };
  int32_t class_of(const tally_detection& one, double now_s) const;

  tally_late_options options_;
  std::vector<Answer> known_;
};

}  // namespace tally
