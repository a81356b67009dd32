"""Round trip, bandwidth and server time of a link, measured from its frames. No clock.

Frames arrive in the order in which they were sent, so that the bytes between two arrivals, over the
time between them, are a sample of the bandwidth: also with many frames in flight, however long the
server keeps each. When a frame arrived follows from when its answer came and how long it was kept.
"""

from __future__ import annotations

from dataclasses import dataclass

RECENT = 64
# Share of a link's time for frames that could stay on the device. Below a half, queues stay short.
LINK_SHARE = 0.45
CREDIT_FRAMES = 4
SMOOTHING = 0.2
MIN_SERVICE_S = 1e-3
# Mean plus two mean deviations is near the 95th percentile of what queues do.
DEVIATIONS = 2.0
# After this time without a sample, bandwidth has to be measured again.
STALE_S = 30.0
# Silence of a server is not suspicious before this time; nor before four times what it took before.
MIN_SILENCE_S = 3.0
SILENCE_FACTOR = 4.0
# Slowest link to be reckoned with, and how far one that was faster may have slowed down.
SLOWEST = 25_000.0
SLOWDOWN = 8.0
LONGEST_TRANSIT_S = 30.0


@dataclass
class Ewma:
    """Exponentially weighted mean and mean deviation; they start with the first sample."""

    mean: float = 0.0
    deviation: float = 0.0
    samples: int = 0

    def add(self, value: float, weight: float = SMOOTHING) -> None:
        """Add a sample."""
        if not self.samples:
            self.mean = value
        error = value - self.mean
        self.mean += weight * error
        self.deviation += weight * (abs(error) - self.deviation)
        self.samples += 1

    @property
    def p95(self) -> float:
        """Estimate of the 95th percentile."""
        return self.mean + DEVIATIONS * self.deviation


@dataclass(frozen=True)
class _Sent:
    at: float
    size: int


class LinkEstimate:
    """Round trip, bandwidth and server time of one connection, in seconds and bytes per second."""

    def __init__(self) -> None:
        self.rtt = Ewma()
        self.server = Ewma()
        self.bandwidth = Ewma()
        self._answered_at = self._measured_at = 0.0
        self._sent: dict[int, _Sent] = {}
        self._waiting: dict[int, _Sent] = {}
        self._last_arrival = (0, 0.0)
        self._free_at = 0.0
        self._debt_s = 0.0
        self._debt_at = 0.0

    def welcomed(self, seconds: float) -> None:
        """Note the round trip of hello and welcome, both short."""
        self.rtt.add(seconds)

    def sent(self, sequence: int, size: int, now: float) -> None:
        """Note that a frame of `size` bytes is sent."""
        self._sent[sequence] = self._waiting[sequence] = _Sent(now, size)
        takes_s = size / self.bandwidth.mean if self.bandwidth.samples else 0.0
        self._free_at = max(self._free_at, now) + takes_s
        self._debt_s = min(self.link_debt_s(now) + takes_s, CREDIT_FRAMES * takes_s)
        self._debt_at = now
        while len(self._sent) > RECENT:
            self._sent.pop(next(iter(self._sent)))

    def answered(self, sequence: int, server_s: float, now: float) -> None:
        """Note the answer to a frame, which the server kept for `server_s`."""
        self._answered_at = now
        sent = self._waiting.pop(sequence, None)
        if sent is None:
            return
        self.server.add(server_s)
        arrived = now - server_s
        before, before_at = self._last_arrival
        if sequence <= before:
            return
        self._last_arrival = (sequence, arrived)
        between = [one for number, one in self._sent.items() if before < number <= sequence]
        begun = max(before_at, between[0].at + self.rtt.mean)
        size = sum(one.size for one in between)
        self.bandwidth.add(size / max(MIN_SERVICE_S, arrived - begun))
        self._measured_at = now
        if len(between) == 1 and sent.at > before_at:
            path_s = arrived - sent.at
            self.rtt.add(max(0.0, path_s - size / self.bandwidth.mean))

    def connection_lost(self) -> None:
        """Forget the frames in flight: the connection has ended."""
        self._waiting.clear()
        self._free_at = 0.0

    def silent_s(self, now: float) -> float:
        """How long frames have been in flight without any answer; 0 without frames."""
        if not self._waiting:
            return 0.0
        first = next(iter(self._waiting.values())).at
        return max(0.0, now - max(first, self._answered_at))

    def silence_limit_s(self) -> float:
        """Silence after which the frames in flight will hardly get an answer any more."""
        rate = max(SLOWEST, self.bandwidth.mean / 2)
        usual_s = self.rtt.p95 + self.server.p95
        return max(MIN_SILENCE_S, SILENCE_FACTOR * usual_s) + self._bytes_in_flight / rate

    def transit_s(self, now: float) -> float:
        """For how long the bytes of frames in flight may still be on their way, at worst."""
        rate = max(SLOWEST, self.bandwidth.mean / SLOWDOWN)
        longest_s = min(LONGEST_TRANSIT_S, self._bytes_in_flight / rate)
        return max(0.0, longest_s - self.silent_s(now))

    def measured(self, now: float) -> bool:
        """Whether the bandwidth is known, and not from long ago."""
        return self.bandwidth.samples > 0 and now - self._measured_at <= STALE_S

    @property
    def unanswered(self) -> int:
        """Number of frames in flight, whether or not somebody still waits for them."""
        return len(self._waiting)

    @property
    def _bytes_in_flight(self) -> int:
        return sum(one.size for one in self._waiting.values())

    def expected_s(self, size: int, now: float) -> float:
        """Expected time of a frame of `size` bytes to its answer, 95th percentile.

        It waits for the frames before it: the link carries one after the other.
        """
        if not self.bandwidth.samples:
            return 0.0
        return self.busy_s(now) + self.rtt.p95 + size / self.bandwidth.mean + self.server.p95

    def busy_s(self, now: float) -> float:
        """For how long the link still carries what was sent."""
        return max(0.0, self._free_at - now)

    def link_debt_s(self, now: float) -> float:
        """Seconds that the link was used beyond LINK_SHARE of the time; 0 when it has rested."""
        return max(0.0, self._debt_s - LINK_SHARE * (now - self._debt_at))
