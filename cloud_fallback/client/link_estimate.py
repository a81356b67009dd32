"""Round trip, bandwidth and server time of a link, measured from its frames. No clock.

Frames arrive in the order in which they were sent, so that the bytes between two arrivals, over the
time between them, are a sample of the bandwidth: also with many frames in flight, however long the
server keeps each. The core estimates (`tally_link` in tally.h).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...edge_runtime.core.native import Handle, default, ffi, lib, struct
from ...edge_runtime.core.native import options as core_options

# Share of a link's time for frames that could stay on the device. Below a half, queues stay short.
LINK_SHARE: float = default("link", "share")
# Silence of a server is not suspicious before this time; nor before four times what it took before.
MIN_SILENCE_S: float = default("link", "min_silence_s")
SILENCE_FACTOR: float = default("link", "silence_factor")


@dataclass(frozen=True)
class Average:
    """Mean and 95th percentile of recent samples, the latest weighing most; 0 without samples."""

    mean: float = 0.0
    p95: float = 0.0
    samples: int = 0

    @classmethod
    def of(cls, average: Any) -> Average:
        """A `tally_average`."""
        return cls(average.mean, average.p95, average.samples)


class LinkEstimate:
    """Round trip, bandwidth and server time of one connection, in seconds and bytes per second."""

    def __init__(self) -> None:
        limits = {"min_silence_s": MIN_SILENCE_S, "silence_factor": SILENCE_FACTOR}
        self._handle = Handle("link", core_options("link", **limits))
        self._seconds = ffi.new("double *")

    def welcomed(self, seconds: float) -> None:
        """Note the round trip of hello and welcome, both short."""
        self._handle.call(lib.tally_link_welcomed, seconds)

    def sent(self, sequence: int, size: int, now: float) -> None:
        """Note that a frame of `size` bytes is sent."""
        self._handle.call(lib.tally_link_sent, sequence, size, now)

    def answered(self, sequence: int, server_s: float, now: float) -> None:
        """Note the answer to a frame, which the server kept for `server_s`."""
        self._handle.call(lib.tally_link_answered, sequence, server_s, now)

    def connection_lost(self) -> None:
        """Forget the frames in flight: the connection has ended."""
        self._handle.call(lib.tally_link_lost)

    @property
    def rtt(self) -> Average:
        """Seconds of the round trip of an empty message."""
        return Average.of(self._state().rtt)

    @property
    def server(self) -> Average:
        """Seconds that the server keeps a frame."""
        return Average.of(self._state().server)

    @property
    def bandwidth(self) -> Average:
        """Bytes per second."""
        return Average.of(self._state().bandwidth)

    @property
    def unanswered(self) -> int:
        """Number of frames in flight, whether or not somebody still waits for them."""
        return int(self._state().unanswered)

    def silent_s(self, now: float) -> float:
        """How long frames have been in flight without any answer; 0 without frames."""
        return float(self._state(now).silent_s)

    def silence_limit_s(self) -> float:
        """Silence after which the frames in flight will hardly get an answer any more."""
        return float(self._state().silence_limit_s)

    def transit_s(self, now: float) -> float:
        """For how long the bytes of frames in flight may still be on their way, at worst."""
        return float(self._state(now).transit_s)

    def measured(self, now: float) -> bool:
        """Whether the bandwidth is known, and not from long ago."""
        return bool(self._state(now).measured)

    def busy_s(self, now: float) -> float:
        """For how long the link still carries what was sent."""
        return float(self._state(now).busy_s)

    def link_debt_s(self, now: float) -> float:
        """Seconds that the link was used beyond LINK_SHARE of the time; 0 when it has rested."""
        return float(self._state(now).debt_s)

    def expected_s(self, size: int, now: float) -> float:
        """Expected time of a frame of `size` bytes to its answer, 95th percentile.

        It waits for the frames before it: the link carries one after the other.
        """
        self._handle.call(lib.tally_link_expected, size, now, self._seconds)
        return float(self._seconds[0])

    def _state(self, now: float = 0.0) -> Any:
        state = struct("link_state")
        self._handle.call(lib.tally_link_get_state, now, state)
        return state
