"""Frame filters: which frames are processed, where not all of them are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..types import Detections, Frame, Tracks


@dataclass(frozen=True)
class FrameFeedback:
    """The outcome of a frame that was processed, for filters to learn from.

    Attributes:
        detections: of the wanted classes.
        tracks: the confirmed tracks in the frame.
        latency_ms: time from the camera for a live frame, else the processing time.
    """

    frame: Frame
    detections: Detections
    tracks: Tracks
    latency_ms: float


class FrameFilter(Protocol):
    """Chooses frames before they are detected, and learns from what was found."""

    def wants(self, frame: Frame) -> bool:
        """Whether to process this frame. Called once per frame, in order."""
        ...

    def learn(self, feedback: FrameFeedback) -> None:
        """Receive the outcome of each frame that was processed, in order."""
        ...

    def summary(self) -> str | None:
        """The filter's effect, as a sentence for the report; None if there was none."""
        ...


class FrameFilters:
    """Several filters as one: a frame is processed if all of them want it.

    Attributes:
        offered: frames so far.
        skipped: how many of these were not processed.
    """

    def __init__(self, filters: Sequence[FrameFilter] = ()) -> None:
        self._filters = list(filters)
        self.offered = 0
        self.skipped = 0

    def choose(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames that all filters want."""
        for frame in frames:
            self.offered += 1
            if all(one.wants(frame) for one in self._filters):
                yield frame
            else:
                self.skipped += 1

    def learn(self, feedback: FrameFeedback) -> None:
        """Pass the outcome of a frame to all filters."""
        for one in self._filters:
            one.learn(feedback)

    def summaries(self) -> list[str]:
        """The sentences of all filters."""
        return [summary for one in self._filters if (summary := one.summary())]
