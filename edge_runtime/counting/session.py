"""The books of one count: totals, history, events, closed periods, and the file that keeps them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SourceError, UsageError
from ..outputs import check_apart
from ..types import Detections, Event, Frame, Tracks
from .events import EventStream, wall_clock
from .history import History
from .report import Period
from .reset_schedule import Schedule
from .resume import Resume, identity
from .totals import Totals

MOST_PERIODS = 1000


@dataclass(frozen=True)
class FrameResult:
    """What one frame brought: the confirmed tracks in it, and the events since the frame before."""

    frame: Frame
    detections: Detections
    tracks: Tracks
    events: list[Event]


@dataclass(frozen=True)
class Persistence:
    """What is kept of a count, and where.

    Attributes:
        schedule: when totals begin anew.
        starts_at: wall clock of the first frame where the source has none, in ns since 1970.
        resume: the state file.
        events: the file of events, `-` for standard output.
        crops: the folder of cropped pictures.
    """

    schedule: Schedule | None = None
    starts_at: int | None = None
    resume: Resume | None = None
    events: Path | None = None
    crops: Path | None = None

    def check_apart(self, read: Mapping[str, str | os.PathLike[str]]) -> None:
        """Refuse to write over what is read.

        Raises:
            UsageError: a file is given twice.
        """
        check_apart(read, [self.events, None if self.resume is None else self.resume.file.path])


class CountSession:
    """Counts frames of one source and keeps what reports need.

    Args:
        source: its name, which a state file must agree with.
        epoch_ns: wall clock of timestamp 0, None where the source has none.
        places: of `Totals`: lines, zones, classes, options.

    Raises:
        StateError: the state file is of another count.
        UsageError: a schedule without a wall clock; events that cannot be written.
    """

    def __init__(
        self,
        source: str,
        class_names: Sequence[str],
        frame_size: tuple[int, int],
        keeping: Persistence,
        *,
        epoch_ns: int | None = None,
        **places: Any,
    ) -> None:
        self.source = source
        self.epoch_ns = epoch_ns
        self.frames = 0
        self.dropped = 0
        self.skipped = 0
        self.warnings: list[str] = []
        self.periods: list[Period] = []
        self.totals = Totals(class_names, frame_size, **places)
        self.history = History(frame_size)
        self.next_index = 0
        self._keeping = keeping
        self._reset_ns: int | None = None
        self._period_ns: int | None = None
        self._stack = ExitStack()
        if keeping.resume is not None:
            self._resume(keeping.resume)
        if keeping.schedule is not None and epoch_ns is None and keeping.starts_at is None:
            raise UsageError(
                "a schedule needs the time of day, and the source has none",
                "Say when it begins: --starts-at 2026-05-01T08:00:00",
            )
        at = 0 if keeping.resume is None else keeping.resume.events_bytes
        self._events: EventStream | None = None
        if keeping.events is not None or keeping.crops is not None:
            stream = EventStream(keeping.events, crops=keeping.crops, resume_at=at)
            self._events = self._stack.enter_context(stream)

    def _resume(self, resume: Resume) -> None:
        resume.check_source(self.source)
        self.periods = resume.restore(self.totals, self.history)
        if not resume.saved:
            return
        self.frames, self.next_index = resume.number("frames"), resume.next_index
        self.dropped, self.skipped = resume.number("dropped"), resume.number("skipped")
        self._reset_ns, self._period_ns = resume.saved["reset_ns"], resume.saved["period_ns"]
        if self.epoch_ns is None:
            self.epoch_ns = resume.epoch_ns

    def add(self, frame: Frame, detections: Detections) -> FrameResult:
        """Count one frame.

        Raises:
            SourceError: it is of another size than the ones before.
            TimestampError: it is not later than the one before.
        """
        height, width = frame.image.shape[:2]
        if (width, height) != self.totals.frame_size:
            raise SourceError(
                self.source,
                f"frame {frame.index} is {width}x{height}, the ones before were "
                f"{self.totals.frame_size[0]}x{self.totals.frame_size[1]}",
                "Count pictures of different sizes one size at a time",
            )
        if self.epoch_ns is None and self._keeping.starts_at is not None:
            self.epoch_ns = self._keeping.starts_at - frame.timestamp_ns
        self._close_period_if_over(frame.timestamp_ns)
        tracks, events = self.totals.add(frame.timestamp_ns, detections)
        counted = FrameResult(frame, detections, tracks, events)
        self.frames += 1
        self.next_index = frame.index + 1
        self.history.add(counted, self.totals, self.epoch_ns)
        if self._events is not None:
            self._events.add(counted, self.totals, self.epoch_ns)
        return counted

    def _close_period_if_over(self, timestamp_ns: int) -> None:
        schedule = self._keeping.schedule
        if schedule is None or self.epoch_ns is None:
            return
        now_ns = self.epoch_ns + timestamp_ns
        if self._reset_ns is None:
            self._period_ns = now_ns
        elif now_ns < self._reset_ns:
            return
        else:
            self._close_period(self._period_ns or 0, self._reset_ns)
            self._period_ns = self._reset_ns
        self._reset_ns = schedule.next_after(now_ns)

    def _close_period(self, start_ns: int, end_ns: int) -> None:
        totals = self.totals.close_period()
        period = Period(
            **vars(totals), start=wall_clock(start_ns, 0) or "", end=wall_clock(end_ns, 0) or ""
        )
        self.periods = [*self.periods, period][-MOST_PERIODS:]
        if self._events is not None:
            self._events.write({"event": "period", **period.as_dict()})

    @property
    def started(self) -> str | None:
        """Wall clock of the first frame."""
        return wall_clock(self.totals.first_ns or 0, self.epoch_ns)

    def save(self, *, when_due: bool = False) -> None:
        """Write the state file, or only where it is time for it."""
        resume = self._keeping.resume
        if resume is None or not self.frames or (when_due and not resume.file.is_due):
            return
        resume.file.save(
            {
                "source": identity(self.source),
                "class_names": list(self.totals.class_names),
                "next_index": self.next_index,
                "last_ns": self.totals.last_ns,
                "epoch_ns": self.epoch_ns,
                "events_bytes": 0 if self._events is None else self._events.position(),
                "frames": self.frames,
                "dropped": self.dropped,
                "skipped": self.skipped,
                "reset_ns": self._reset_ns,
                "period_ns": self._period_ns,
                "periods": [period.as_dict() for period in self.periods],
                "tally": self.totals.save(),
                "history": self.history.save(),
            }
        )

    def close(self) -> None:
        """Close the file of events."""
        self._stack.close()
