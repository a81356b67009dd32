"""What a link is worth, measured from the frames that went over it. Pure; times are given.

Frames arrive in the order in which they were sent, so that the bytes between two arrivals, over the
time between them, are a sample of the bandwidth: right with many frames in flight, however long the
server keeps each. When a frame arrived follows from when its answer came and how long it was kept.
"""

from __future__ import annotations

from dataclasses import dataclass

RECENT = 64
# Of a link's time, what frames may take that nobody insists on. Below a half, queues stay short.
LINK_SHARE = 0.45
CREDIT_FRAMES = 4
SMOOTHING = 0.2
MIN_SERVICE_S = 1e-3
# Mean plus two mean deviations is near the 95th percentile of what queues do.
DEVIATIONS = 2.0


@dataclass
class Ewma:
    """Moving mean and mean deviation; the first sample is taken as it is."""

    mean: float = 0.0
    deviation: float = 0.0
    samples: int = 0

    def add(self, value: float, weight: float = SMOOTHING) -> None:
        """One more sample."""
        if not self.samples:
            self.mean = value
        error = value - self.mean
        self.mean += weight * error
        self.deviation += weight * (abs(error) - self.deviation)
        self.samples += 1

    @property
    def p95(self) -> float:
        """About what 19 of 20 samples stay below."""
        return self.mean + DEVIATIONS * self.deviation


@dataclass(frozen=True)
class _Sent:
    at: float
    size: int


class LinkEstimate:
    """Round trip, bandwidth and server time of one connection, in seconds and bytes a second."""

    def __init__(self) -> None:
        self.rtt = Ewma()
        self.server = Ewma()
        self.bandwidth = Ewma()
        self._heard = 0.0
        self._sent: dict[int, _Sent] = {}
        self._waiting: dict[int, _Sent] = {}
        self._last_arrival = (0, 0.0)
        self._free_at = 0.0
        self._owed_s = 0.0
        self._owed_at = 0.0

    def greeted(self, seconds: float) -> None:
        """A first message and its answer, both short, took so long."""
        self.rtt.add(seconds)

    def sent(self, sequence: int, size: int, now: float) -> None:
        """A frame of `size` bytes leaves."""
        self._sent[sequence] = self._waiting[sequence] = _Sent(now, size)
        takes_s = size / self.bandwidth.mean if self.bandwidth.samples else 0.0
        self._free_at = max(self._free_at, now) + takes_s
        self._owed_s = min(self.link_debt_s(now) + takes_s, CREDIT_FRAMES * takes_s)
        self._owed_at = now
        while len(self._sent) > RECENT:
            self._sent.pop(next(iter(self._sent)))

    def answered(self, sequence: int, server_s: float, now: float) -> None:
        """Its answer comes; the server kept it for `server_s`."""
        self._heard = now
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
        if len(between) == 1 and sent.at > before_at:
            path_s = arrived - sent.at
            self.rtt.add(max(0.0, path_s - size / self.bandwidth.mean))

    def lost(self) -> None:
        """The connection is gone, and with it what was under way."""
        self._waiting.clear()
        self._free_at = 0.0

    def silent_s(self, now: float) -> float:
        """How long frames have been under way without any answer; 0 without frames."""
        if not self._waiting:
            return 0.0
        first = next(iter(self._waiting.values())).at
        return max(0.0, now - max(first, self._heard))

    def expected_s(self, size: int, now: float) -> float:
        """About how long a frame of `size` bytes takes to its answer, 19 times of 20.

        It waits for those before it: the link carries one after the other.
        """
        if not self.bandwidth.samples:
            return 0.0
        return self.busy_s(now) + self.rtt.p95 + size / self.bandwidth.mean + self.server.p95

    def busy_s(self, now: float) -> float:
        """For how long the link still carries what has been sent."""
        return max(0.0, self._free_at - now)

    def link_debt_s(self, now: float) -> float:
        """Seconds of the link taken beyond LINK_SHARE of the time; 0 where it has rested enough."""
        return max(0.0, self._owed_s - LINK_SHARE * (now - self._owed_at))
