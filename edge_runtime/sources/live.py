"""Live sources: frames timed by the clock, with reconnection when the connection is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ..errors import NetworkError
from ..types import Frame, Image
from .opencv import load_cv2
from .video import decode_next

FIRST_WAIT_S = 0.5
MAX_WAIT_S = 30.0
PATIENCE_S = 300.0
# The stream's own clock is used while it differs from this machine's by at most this much.
CLOCK_TOLERANCE_NS = 2_000_000_000

Notice = Callable[[str], None]
"""Called with one sentence about the state of a live source or of the rate control."""


def no_notice(notice: str) -> None:
    """A `Notice` that reports nothing."""


@dataclass
class LiveOptions:
    """How a camera or stream is read.

    Attributes:
        patience_s: seconds of reconnection attempts, after which a lost connection is an error;
            0 does not try, infinity never stops trying.
        on_notice: called from the reading thread with a sentence when the connection is lost,
            tried again and restored.
        epoch_ns: wall clock (nanoseconds since 1970) of timestamp 0; None takes the first frame's.
        after_ns: timestamps start above this one.
    """

    patience_s: float = PATIENCE_S
    on_notice: Notice = no_notice
    epoch_ns: int | None = None
    after_ns: int = -1


@dataclass
class Health:
    """The state of a live connection.

    Attributes:
        state: `connected` or `reconnecting`.
        frames: frames received.
        losses: how often the connection was lost.
        lost_s: total seconds without connection.
        closing: set to end a read that waits.
    """

    state: str = "connected"
    frames: int = 0
    losses: int = 0
    lost_s: float = 0.0
    closing: threading.Event = field(default_factory=threading.Event)


def waits() -> Iterator[float]:
    """Seconds to wait before each attempt: doubling, at most MAX_WAIT_S."""
    wait = FIRST_WAIT_S
    while True:
        yield wait
        wait = min(2 * wait, MAX_WAIT_S)


class StreamClock:
    """Capture times in nanoseconds since the first frame, strictly increasing.

    Arrival times jitter with the network. If the stream has timestamps of its own that keep pace
    with this machine's clock, their differences are used; after a gap or drift their offset is
    set again.
    """

    def __init__(self, after_ns: int = -1, offset_ns: int = 0) -> None:
        self._previous_ns = after_ns
        self._offset_ns = max(offset_ns, after_ns + 1)
        self._start_ns: int | None = None
        self._anchor_ns: int | None = None

    def timestamp(self, arrival_ns: int, stream_ns: int | None = None) -> int:
        """The capture time of a frame that arrived at `arrival_ns` of the monotonic clock."""
        if self._start_ns is None:
            self._start_ns = arrival_ns
        shown = arrival_ns - self._start_ns + self._offset_ns
        if stream_ns is not None:
            if self._anchor_ns is None or not self._agrees(stream_ns, shown):
                self._anchor_ns = shown - stream_ns
            shown = stream_ns + self._anchor_ns
        # Coarse clocks can give two frames the same time.
        self._previous_ns = max(shown, self._previous_ns + 1)
        return self._previous_ns

    def _agrees(self, stream_ns: int, shown: int) -> bool:
        assert self._anchor_ns is not None
        return abs(stream_ns + self._anchor_ns - shown) <= CLOCK_TOLERANCE_NS


class LiveReader:
    """Reads frames as they arrive; see `Reader`.

    Args:
        connect: makes a new capture, opened or not.
        capture: the capture that is open already.
        name: name of the source, for messages.
        first: a frame that was read from `capture` already.
        stream_ms: reads the stream's own time of the last frame from a capture.
    """

    dropped = 0

    def __init__(
        self,
        connect: Callable[[], Any],
        capture: Any,
        name: str,
        warnings: list[str],
        options: LiveOptions | None = None,
        *,
        first: Image | None = None,
        stream_ms: Callable[[Any], float] | None = None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.health = Health()
        self._cv2 = load_cv2()
        self._connect = connect
        self._capture = capture
        self._name = name
        self._warnings = warnings
        self._options = options or LiveOptions()
        self._first = first
        self._stream_ms = stream_ms
        self._clock_ns = clock_ns
        now = wall_ns()
        self.epoch_ns = now if self._options.epoch_ns is None else self._options.epoch_ns
        self._clock = StreamClock(self._options.after_ns, now - self.epoch_ns)

    def read(self) -> Frame | None:
        """Wait for the next frame; None once it is closed.

        Raises:
            NetworkError: the connection stayed lost for the options' `patience_s`.
        """
        image, self._first = self._first, None
        if image is None:
            image = decode_next(self._cv2, self._capture)
        if image is None and not self.health.closing.is_set():
            image = self._reconnect()
        if image is None:
            return None
        return self._frame(image)

    def _frame(self, image: Image) -> Frame:
        arrived_ns = self._clock_ns()
        stream_ns = None
        if self._stream_ms is not None:
            stream_ns = round(self._stream_ms(self._capture) * 1e6)
        index = self.health.frames
        self.health.frames += 1
        timestamp_ns = self._clock.timestamp(arrived_ns, stream_ns)
        return Frame(image, timestamp_ns, index, arrived_ns)

    def _reconnect(self) -> Image | None:
        """Reconnect until a frame arrives, and return it; None if closed meanwhile."""
        lost_ns, health = self._clock_ns(), self.health
        health.state = "reconnecting"
        health.losses += 1
        self._capture.release()
        for attempt, wait in enumerate(waits(), 1):
            away_s = (self._clock_ns() - lost_ns) / 1e9
            if away_s >= self._options.patience_s:
                raise self._lost(away_s)
            wait = min(wait, self._options.patience_s - away_s)
            self._notice(f"no frame for {away_s:.0f} s; attempt {attempt} in {wait:.1f} s")
            if health.closing.wait(wait):
                return None
            self._capture = self._connect()
            image = decode_next(self._cv2, self._capture)
            if image is not None:
                self._restored((self._clock_ns() - lost_ns) / 1e9)
                return image
        raise AssertionError("waits never ends")

    def _restored(self, away_s: float) -> None:
        self.health.state = "connected"
        self.health.lost_s += away_s
        self._notice(f"reconnected after {away_s:.1f} s")

    def _lost(self, away_s: float) -> NetworkError:
        self.health.lost_s += away_s
        return NetworkError(
            self._name,
            f"no frame for {away_s:.0f} s, after {self.health.frames} frames",
            "Check the camera and the network; the counts so far are reported",
        )

    def _notice(self, text: str) -> None:
        self._options.on_notice(f"{self._name}: {text}")

    def close(self) -> None:
        """Release the camera or connection, and add a warning about lost time."""
        self.health.closing.set()
        self._capture.release()
        if self.health.losses:
            times = "once" if self.health.losses == 1 else f"{self.health.losses} times"
            self._warnings.append(
                f"the connection was lost {times}; {self.health.lost_s:.1f} s were not counted"
            )
            self.health.losses = 0
