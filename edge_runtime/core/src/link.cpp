#include "exact_floats.h"

#include "link.h"

#include <algorithm>
#include <cmath>

#include "handle.h"
#include "options.h"

namespace tally {
namespace {

constexpr size_t kRecent = 64;
constexpr size_t kMaxWaiting = 4096;
constexpr double kCreditFrames = 4;
constexpr double kMinServiceS = 1e-3;
constexpr double kStaleS = 30;  // without a sample for this long, measure the bandwidth again
// Slowest link to be reckoned with, and how far one that was faster may have slowed down.
constexpr double kSlowest = 25'000;
constexpr double kSlowdown = 8;
constexpr double kLongestTransitS = 30;

void check_time(double seconds) { require(std::isfinite(seconds), "a time is not finite"); }

}  // namespace

tally_link_options link_defaults() {
  // Below a half of the time, queues stay short.
  return {sizeof(tally_link_options), 0, 0.45, 3.0, 4.0};
}

Link::Link(const tally_link_options& options) : options_(options) {
  require(options.share > 0 && options.share <= 1, "share is not above 0, up to 1");
  require(options.min_silence_s >= 0, "min_silence_s is below 0");
  require(options.silence_factor >= 0, "silence_factor is below 0");
}

/// Add a frame, or replace the one of its number, which keeps its position.
void Link::put(Frames& frames, const Sent& frame, size_t most) {
  const auto same = std::find_if(frames.begin(), frames.end(),
                                 [&](const Sent& one) { return one.sequence == frame.sequence; });
  if (same != frames.end()) {
    *same = frame;
    return;
  }
  frames.push_back(frame);
  if (frames.size() > most) frames.erase(frames.begin());
}

void Link::welcomed(double seconds) {
  require(seconds >= 0 && std::isfinite(seconds), "seconds are not 0 or more");
  rtt_.add(seconds);
}

void Link::sent(int64_t sequence, int64_t bytes, double now_s) {
  check_time(now_s);
  require(bytes >= 0, "bytes are below 0");
  const Sent frame{sequence, now_s, static_cast<double>(bytes)};
  put(recent_, frame, kRecent);
  put(waiting_, frame, kMaxWaiting);
  const double takes_s = bandwidth_.empty() ? 0 : frame.bytes / bandwidth_.mean();
  free_s_ = std::max(free_s_, now_s) + takes_s;
  debt_s_ = std::min(debt_s(now_s) + takes_s, kCreditFrames * takes_s);
  debt_at_s_ = now_s;
}

void Link::answered(int64_t sequence, double server_s, double now_s) {
  check_time(now_s);
  require(server_s >= 0 && std::isfinite(server_s), "server_s is not 0 or more");
  answered_s_ = now_s;
  const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const Sent& one) { return one.sequence == sequence; });
  if (found == waiting_.end()) return;
  const Sent frame = *found;
  waiting_.erase(found);
  server_.add(server_s);
  if (sequence > last_sequence_) measure(frame, now_s - server_s, now_s);
}

void Link::measure(const Sent& frame, double arrived_s, double now_s) {
  const double before_s = last_arrival_s_;
  const int64_t before = last_sequence_;
  last_sequence_ = frame.sequence;
  last_arrival_s_ = arrived_s;
  double bytes = 0;
  const Sent* first = nullptr;
  int frames = 0;
  for (const Sent& one : recent_) {
    if (one.sequence <= before || one.sequence > frame.sequence) continue;
    if (first == nullptr) first = &one;
    bytes += one.bytes;
    frames += 1;
  }
  if (first == nullptr) return;  // so many were sent since that it is not among the recent ones
  const double begun_s = std::max(before_s, first->at_s + rtt_.mean());
  bandwidth_.add(bytes / std::max(kMinServiceS, arrived_s - begun_s));
  measured_s_ = now_s;
  if (frames == 1 && frame.at_s > before_s && bandwidth_.mean() > 0)
    rtt_.add(std::max(0.0, arrived_s - frame.at_s - bytes / bandwidth_.mean()));
}

void Link::lost() {
  waiting_.clear();
  free_s_ = 0;
}

double Link::silent_s(double now_s) const {
  if (waiting_.empty()) return 0;
  return std::max(0.0, now_s - std::max(waiting_.front().at_s, answered_s_));
}

double Link::in_flight_bytes() const {
  double bytes = 0;
  for (const Sent& one : waiting_) bytes += one.bytes;
  return bytes;
}

double Link::busy_s(double now_s) const { return std::max(0.0, free_s_ - now_s); }

double Link::debt_s(double now_s) const {
  return std::max(0.0, debt_s_ - options_.share * (now_s - debt_at_s_));
}

double Link::expected_s(int64_t bytes, double now_s) const {
  check_time(now_s);
  require(bytes >= 0, "bytes are below 0");
  if (bandwidth_.empty()) return 0;
  return busy_s(now_s) + rtt_.p95() + static_cast<double>(bytes) / bandwidth_.mean() +
         server_.p95();
}

tally_link_state Link::state(double now_s) const {
  check_time(now_s);
  const double usual_s = rtt_.p95() + server_.p95(), bytes = in_flight_bytes();
  const double longest_s =
      std::min(kLongestTransitS, bytes / std::max(kSlowest, bandwidth_.mean() / kSlowdown));
  tally_link_state state{};
  state.struct_size = sizeof state;
  state.measured = !bandwidth_.empty() && now_s - measured_s_ <= kStaleS ? 1 : 0;
  state.rtt = rtt_.values();
  state.server = server_.values();
  state.bandwidth = bandwidth_.values();
  state.unanswered = static_cast<int64_t>(waiting_.size());
  state.silent_s = silent_s(now_s);
  state.silence_limit_s = std::max(options_.min_silence_s, options_.silence_factor * usual_s) +
                          bytes / std::max(kSlowest, bandwidth_.mean() / 2);
  state.transit_s = std::max(0.0, longest_s - state.silent_s);
  state.busy_s = busy_s(now_s);
  state.debt_s = debt_s(now_s);
  return state;
}

}  // namespace tally
