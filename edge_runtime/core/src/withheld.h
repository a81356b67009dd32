// Events of objects whose class is not wanted, until it becomes one that is.
#pragma once

#include <cstdint>
#include <vector>

#include "tally.h"

namespace tally {

/// Keeps events for the case that the class of their object changes. Events of objects that cannot
/// return are forgotten once there are many.
class Withheld {
 public:
  using Events = std::vector<tally_withheld>;

  /// An object that has not been seen for `forget_s` cannot return.
  explicit Withheld(float forget_s);

  void keep(const tally_event& event);
  /// The events of an object, which are no longer kept.
  Events take(int64_t track_id);
  /// The confirmed tracks of a frame.
  void note(int64_t now_ns, const std::vector<tally_track>& tracks);
  /// A period has ended: what happened in it is final.
  void clear() { events_.clear(); }

  const Events& events() const { return events_; }
  /// Resume from what `events` gave, with the objects in any order.
  void restore(const Events& events);

 private:
  Events::iterator first_of(int64_t track_id);
  size_t objects() const;
  void forget(int64_t now_ns);

  int64_t forget_ns_;
  Events events_;  // by track, those of one in the order in which they happened
  size_t limit_;   // of objects, from which on some are forgotten
};

}  // namespace tally
