#include "exact_floats.h"

#include "withheld.h"

#include <algorithm>
#include <cmath>

#include "sort.h"

namespace tally {
namespace {

constexpr size_t kFirstLimit = 1024;

/// The number of an event in an array, and its track.
struct Numbered {
  int64_t track_id;
  size_t number;
};

/// Those of one track stay in their order.
int by_track(const void* left, const void* right) {
  const auto& a = *static_cast<const Numbered*>(left);
  const auto& b = *static_cast<const Numbered*>(right);
  if (a.track_id != b.track_id) return a.track_id < b.track_id ? -1 : 1;
  return static_cast<int>(a.number > b.number) - static_cast<int>(a.number < b.number);
}

}  // namespace

Withheld::Withheld(float forget_s)
    : forget_ns_(std::llround(forget_s * 1e9)),
      limit_(kFirstLimit) {}

/// The first event of a track, or where it would be.
Withheld::Events::iterator Withheld::first_of(int64_t track_id) {
  const auto before = [](const tally_withheld& one, int64_t id) { return one.event.track_id < id; };
  return std::lower_bound(events_.begin(), events_.end(), track_id, before);
}

void Withheld::keep(const tally_event& event) {
  const auto first = first_of(event.track_id), next = first_of(event.track_id + 1);
  const int64_t seen_ns = first == next ? event.timestamp_ns : first->seen_ns;
  events_.insert(next, {seen_ns, event});
}

Withheld::Events Withheld::take(int64_t track_id) {
  const auto first = first_of(track_id), next = first_of(track_id + 1);
  Events taken(first, next);
  events_.erase(first, next);
  return taken;
}

void Withheld::note(int64_t now_ns, const std::vector<tally_track>& tracks) {
  if (events_.empty()) return;
  for (const tally_track& track : tracks)
    for (auto one = first_of(track.track_id);
         one != events_.end() && one->event.track_id == track.track_id; ++one)
      one->seen_ns = now_ns;
  if (events_.size() > limit_ && objects() > limit_) forget(now_ns);
}

size_t Withheld::objects() const {
  size_t objects = 0;
  for (size_t i = 0; i < events_.size(); ++i)
    if (i == 0 || events_[i].event.track_id != events_[i - 1].event.track_id) ++objects;
  return objects;
}

/// Drop what is too old; again when there are twice as many.
void Withheld::forget(int64_t now_ns) {
  const auto is_old = [&](const tally_withheld& one) { return now_ns - one.seen_ns > forget_ns_; };
  events_.erase(std::remove_if(events_.begin(), events_.end(), is_old), events_.end());
  limit_ = std::max(kFirstLimit, 2 * objects());
}

void Withheld::restore(const Events& events) {
  std::vector<Numbered> order;
  order.reserve(events.size());
  for (size_t i = 0; i < events.size(); ++i) order.push_back({events[i].event.track_id, i});
  sort_items(order, by_track);
  Events ordered;
  ordered.reserve(events.size());
  for (const Numbered& one : order) ordered.push_back(events[one.number]);
  events_.swap(ordered);
}

}  // namespace tally
