"""Which frames are looked at, where not all of them are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..types import Detections, Frame, Tracks


@dataclass(frozen=True)
class FrameFeedback:
    """What became of a frame that was looked at.

    Attributes:
        detections: of the wanted classes.
        tracks: the objects in it.
        latency_ms: how long it took: from the camera for a live one, else the work itself.
    """

    frame: Frame
    detections: Detections
    tracks: Tracks
    latency_ms: float


class FrameFilter(Protocol):
    """Chooses frames before they are detected, and learns from what was found."""

    def wants(self, frame: Frame) -> bool:
        """Whether to look at this frame. Called once a frame, in order."""
        ...

    def learn(self, seen: FrameFeedback) -> None:
        """Told after each frame that was looked at, in order."""
        ...


class FrameFilters:
    """Several of them: a frame is looked at when all want it.

    Attributes:
        offered: frames so far.
        skipped: how many of these were not looked at.
    """

    def __init__(self, paces: Sequence[FrameFilter] = ()) -> None:
        self._paces = list(paces)
        self.offered = 0
        self.skipped = 0

    def choose(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The wanted ones of `frames`."""
        for frame in frames:
            self.offered += 1
            if all(pace.wants(frame) for pace in self._paces):
                yield frame
            else:
                self.skipped += 1

    def learn(self, seen: FrameFeedback) -> None:
        """Pass on what was found."""
        for pace in self._paces:
            pace.learn(seen)


class RateLimiter:
    """Lets through what keeps an even beat of capture time.

    Frames come at their own beat, so one is taken when it is nearer to the due time than the next
    would be: 15 of 30 frames a second are every second one, with or without jitter.
    """

    def __init__(self) -> None:
        self.interval_s = 0.0
        self.frame_s = 0.0  # the source's own interval, smoothed
        self._due_ns: float | None = None
        self._previous_ns: int | None = None

    def is_due(self, timestamp_ns: int) -> bool:
        """Whether a frame of this capture time is on the beat."""
        if self._previous_ns is not None:
            step_s = (timestamp_ns - self._previous_ns) / 1e9
            # A gap says nothing about the beat.
            usual_s = min(step_s, 2 * self.frame_s) if self.frame_s else step_s
            self.frame_s += (usual_s - self.frame_s) * (0.1 if self.frame_s else 1.0)
        self._previous_ns = timestamp_ns
        if self._due_ns is not None and timestamp_ns + self.frame_s * 0.5e9 < self._due_ns:
            return False
        late = self._due_ns is None or timestamp_ns > self._due_ns + self.interval_s * 1e9
        start = timestamp_ns if late or self._due_ns is None else self._due_ns
        self._due_ns = start + self.interval_s * 1e9
        return True

    def reset(self) -> None:
        """The next frame is on the beat, whatever comes."""
        self._due_ns = None
