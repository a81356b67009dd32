"""Sinks: what receives the result of each frame, such as the event file and the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ..types import Detections, Event, Frame, FrameTime, Tracks
from .period_totals import Period
from .totals import Totals


@dataclass(frozen=True)
class FrameResult:
    """The result of one frame.

    Example:
        >>> import numpy as np
        >>> from tallylens import Counter
        >>> black = np.zeros((360, 640, 3), np.uint8)
        >>> with Counter("demo") as counter:
        ...     for result in counter.watch([(0, black), (40_000_000, black)]):
        ...         print(result.frame.index, len(result.tracks), result.totals.unique())
        0 0 {}
        1 0 {}

    Attributes:
        frame: without an image where detections are the source.
        detections: of all classes.
        tracks: the confirmed tracks that are in the frame, of the wanted classes.
        events: those since the frame before, of the wanted classes.
        totals: the running totals, which change with the next frame.
        epoch_ns: wall clock of timestamp 0 in nanoseconds since 1970, None if unknown.

    After the last frame of a file, its result may follow once more with the events that only the
    end of the file decides.
    """

    frame: Frame | FrameTime
    detections: Detections
    tracks: Tracks
    events: list[Event]
    totals: Totals
    epoch_ns: int | None = None


class Sink(Protocol):
    """Receives each frame's result and each closed period of a count, in order.

    What `save` returns is merged into the saved count, so that a sink can resume with it: choose
    keys that no other sink uses.
    """

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Start, before the first frame; `saved` is the saved count, empty for a new one.

        Raises:
            KeyError, TypeError, ValueError: the saved values are damaged.
        """
        ...

    def frame(self, result: FrameResult) -> None:
        """Receive the result of a frame."""
        ...

    def period(self, period: Period) -> None:
        """Receive the totals of a period that a scheduled reset has closed."""
        ...

    def save(self) -> dict[str, Any]:
        """The values that `restore` needs, as JSON; all output so far must be on the disk."""
        ...

    def close(self) -> None:
        """Release files and connections; called once, also after an error."""
        ...


@runtime_checkable
class FinishingSink(Sink, Protocol):
    """A sink that may still have something to deliver when the source has ended."""

    def finish(self) -> list[str]:
        """Deliver what waits, in limited time; warnings on what was not delivered.

        It is called after the last frame, before the report is made and before `close`.
        """
        ...
