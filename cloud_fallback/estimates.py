"""What a link is worth, measured from the frames that went over it. Pure; times are given.

A frame's answer tells how many bytes were delivered while it was under way (the delivery rate of
BBR, Cardwell et al. 2016): a sample of the bandwidth that is right also with many frames in
flight, and too low only where the sender had nothing to send.
"""

from __future__ import annotations

from dataclasses import dataclass

SMOOTHING = 0.2
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
    delivered: int
    delivered_at: float
    busy: bool


class LinkEstimate:
    """Round trip, bandwidth and server time of one connection, in seconds and bytes."""

    def __init__(self) -> None:
        self.rtt = Ewma()
        self.server = Ewma()
        self.bandwidth = Ewma()
        self.last_heard = 0.0
        self._delivered = 0
        self._delivered_at = 0.0
        self._under_way: dict[int, _Sent] = {}

    def sent(self, sequence: int, size: int, now: float) -> None:
        """A frame of `size` bytes leaves."""
        if not self._under_way:
            self._delivered_at = now
        self._under_way[sequence] = _Sent(
            now, size, self._delivered, self._delivered_at, bool(self._under_way)
        )

    def answered(self, sequence: int, server_s: float, now: float) -> None:
        """Its answer arrives; the server kept it for `server_s`."""
        self.last_heard = now
        sent = self._under_way.pop(sequence, None)
        if sent is None:
            return
        self._delivered += sent.size
        self._delivered_at = now
        self.server.add(server_s)
        path_s = max(1e-4, now - sent.at - server_s)
        elapsed = max(1e-4, now - sent.delivered_at - server_s)
        self._add_rate((self._delivered - sent.delivered) / elapsed, path_s, sent)

    def _add_rate(self, rate: float, path_s: float, sent: _Sent) -> None:
        """A lone frame spends a round trip as well, so that its rate is a lower bound."""
        if sent.busy or not self.bandwidth.samples:
            self.bandwidth.add(rate)
        elif rate > self.bandwidth.mean:
            self.bandwidth.add(rate, weight=0.5)
        else:
            lone = sent.size / max(1e-4, path_s - self.rtt.mean)
            self.bandwidth.add(min(lone, 2 * self.bandwidth.mean))
        if not sent.busy:
            self.rtt.add(max(0.0, path_s - sent.size / max(self.bandwidth.mean, 1.0)))

    def lost(self) -> None:
        """The connection is gone, and with it what was under way."""
        self._under_way.clear()

    def silent_s(self, now: float) -> float:
        """How long frames have been under way without any answer; 0 without frames."""
        if not self._under_way:
            return 0.0
        first = next(iter(self._under_way.values())).at
        return max(0.0, now - max(first, self.last_heard))

    def expected_s(self, size: int) -> float:
        """About how long a frame of `size` bytes takes to its answer, 19 times of 20."""
        waiting = sum(one.size for one in self._under_way.values())
        if not self.bandwidth.samples:
            return 0.0
        return self.rtt.p95 + (size + waiting) / max(self.bandwidth.mean, 1.0) + self.server.p95
