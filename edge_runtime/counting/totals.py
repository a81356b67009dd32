"""Keeps the totals of one source and turns them into a report."""

from __future__ import annotations

import base64
import difflib
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..core import CounterOptions, TrackCounter
from ..core.track_counter import ClassTotals, Diagnostics
from ..errors import UsageError
from ..types import Detections, Event, Line, Tracks, Zone
from .diagnostics import explanations, uncounted
from .regions import in_pixels
from .report import ClassCounts, LineReport, PeriodTotals, ZoneReport
from .time_bins import TimeBins

ANY_CLASS_NAME = "object"


def wanted_classes(class_names: Sequence[str], classes: Iterable[str] | None) -> set[int]:
    """Ids of the named classes, all without names.

    Raises:
        UsageError: the model has no class of that name.
    """
    if classes is None:
        return set(range(len(class_names)))
    names = set(classes)
    for name in sorted(names):
        if name not in class_names:
            close = difflib.get_close_matches(name, class_names, n=3) or list(class_names[:5])
            raise UsageError(
                f"the model knows no class {name!r}",
                f"Try {', '.join(close)}; tallylens inspect lists all of them",
            )
    return {index for index, name in enumerate(class_names) if name in names}


class Totals:
    """Tracks and counts the detections of one source, frame by frame."""

    def __init__(
        self,
        class_names: Sequence[str],
        frame_size: tuple[int, int],
        *,
        lines: Sequence[Line] = (),
        zones: Sequence[Zone] = (),
        classes: Iterable[str] | None = None,
        any_class: bool = False,
        options: CounterOptions | None = None,
    ) -> None:
        self.lines_given = tuple(lines)
        self.class_names = (ANY_CLASS_NAME,) if any_class else tuple(class_names)
        self.frame_size = frame_size
        self.line_ends = [in_pixels([(a.x1, a.y1), (a.x2, a.y2)], frame_size) for a in lines]
        self.zone_corners = [in_pixels(zone.points, frame_size) for zone in zones]
        self.line_names = [line.name or f"line {i + 1}" for i, line in enumerate(lines)]
        self.zone_names = [zone.name or f"zone {i + 1}" for i, zone in enumerate(zones)]
        self.options = options or CounterOptions()
        self.counting_ns = 0
        self._wanted = wanted_classes(self.class_names, None if any_class else classes)
        self._is_wanted = np.array([i in self._wanted for i in range(len(self.class_names))])
        self._counter = TrackCounter(
            len(self.class_names), frame_size, any_class=any_class, options=self.options
        )
        for (start, end), line in zip(self.line_ends, lines, strict=True):
            self._counter.add_line(start, end, extend=line.extend)
        for corners, zone in zip(self.zone_corners, zones, strict=True):
            self._counter.add_zone(corners, min_dwell_s=zone.min_dwell_s)
        self._first_ns: int | None = None
        self._last_ns = 0
        self._occupancy = TimeBins(max)

    def add(self, timestamp_ns: int, detections: Detections) -> tuple[Tracks, list[Event]]:
        """Count one frame; the tracks and events of the wanted classes.

        Raises:
            TimestampError: not later than the frame before.
        """
        start = time.thread_time_ns()
        tracks = self._only_wanted(self._counter.update(timestamp_ns, detections))
        events = [event for event in self._counter.take_events() if self._concerns(event)]
        self.counting_ns += time.thread_time_ns() - start
        self._first_ns = timestamp_ns if self._first_ns is None else self._first_ns
        self._last_ns = timestamp_ns
        self._note_occupancy(tracks)
        return tracks, events

    def _only_wanted(self, tracks: Tracks) -> Tracks:
        if len(self._wanted) == len(self.class_names) or not len(tracks):
            return tracks
        keep = self._is_wanted[tracks.class_id]
        return Tracks(
            tracks.xyxy[keep], tracks.confidence[keep], tracks.class_id[keep], tracks.track_id[keep]
        )

    def _concerns(self, event: Event) -> bool:
        return event.class_id in self._wanted or event.previous_class_id in self._wanted

    def _note_occupancy(self, tracks: Tracks) -> None:
        if not len(tracks):
            return
        present: ClassCounts = {}
        # Plain counting is quicker than numpy for what is in one picture.
        for class_id, number in Counter(tracks.class_id.tolist()).items():
            name = self.class_names[class_id]
            present[name] = max(present.get(name, 0), number)
        self._occupancy.add(self.seconds, present)

    def since_start(self, timestamp_ns: int) -> float:
        """Seconds of capture time from the first frame to `timestamp_ns`."""
        return (timestamp_ns - (self._first_ns or 0)) / 1e9

    def named(self, class_totals: ClassTotals) -> ClassCounts:
        """Totals by class name: wanted classes above zero, in the model's order."""
        counts: ClassCounts = {}
        for i in np.flatnonzero(class_totals):
            if int(i) in self._wanted:
                name = self.class_names[i]
                counts[name] = counts.get(name, 0) + int(class_totals[i])
        return counts

    @property
    def last_ns(self) -> int | None:
        """Capture time of the last frame counted."""
        return self._counter.last_ns

    @property
    def first_ns(self) -> int | None:
        """Capture time of the first frame counted."""
        return self._first_ns

    @property
    def seconds(self) -> float:
        """Capture time from the first frame to the last."""
        return 0.0 if self._first_ns is None else (self._last_ns - self._first_ns) / 1e9

    def unique(self) -> ClassCounts:
        """Different objects so far."""
        return self.named(self._counter.unique())

    def lines(self) -> tuple[LineReport, ...]:
        """Totals of every line."""
        counts = [self._counter.line(i) for i in range(len(self.line_names))]
        return tuple(
            LineReport(
                name,
                self.named(c.crossed_in),
                self.named(c.crossed_out),
                line.in_name,
                line.out_name,
            )
            for name, line, c in zip(self.line_names, self.lines_given, counts, strict=True)
        )

    def zones(self) -> tuple[ZoneReport, ...]:
        """Totals of every zone."""
        counts = [self._counter.zone(i) for i in range(len(self.zone_names))]
        return tuple(
            ZoneReport(
                name, self.named(c.now), self.named(c.entered), c.mean_dwell_s, c.max_dwell_s
            )
            for name, c in zip(self.zone_names, counts, strict=True)
        )

    def occupancy(self) -> tuple[tuple[float, ClassCounts], ...]:
        """For each second with objects in view, the most of each class seen at once.

        After a day of such seconds it is for each two of them, and so on.
        """
        return tuple(self._occupancy)

    def explanations(self) -> list[str]:
        """Why totals are zero, where they are."""
        return explanations(self)

    def uncounted(self) -> dict[str, Any]:
        """What was detected and never counted."""
        return uncounted(self)

    def diagnostics(self) -> Diagnostics:
        """What went in, and what was left out."""
        return self._counter.diagnostics()

    def detected(self) -> ClassTotals:
        """Detections by class, whatever became of them."""
        return self._counter.detected()

    def everything(self) -> ClassTotals:
        """Different objects by class, of all classes."""
        return self._counter.unique()

    def unwanted(self, class_totals: ClassTotals) -> ClassCounts:
        """Totals by class name of the classes that were not asked for."""
        return {
            self.class_names[i]: int(class_totals[i])
            for i in np.flatnonzero(class_totals)
            if int(i) not in self._wanted
        }

    def line_totals(self, line: int) -> ClassTotals:
        """Crossings of a line by class, both ways, of all classes."""
        counts = self._counter.line(line)
        return counts.crossed_in + counts.crossed_out

    def zone_totals(self, zone: int) -> ClassTotals:
        """Entries into a zone by class, of all classes."""
        return self._counter.zone(zone).entered

    def nearest(self, line: int) -> float | None:
        """Least distance in pixels between an object and the line; None without any."""
        return self._counter.nearest(line)

    def only_wanted(self, detections: Detections) -> Detections:
        """Those of the wanted classes."""
        if len(self._wanted) == len(self.class_names):
            return detections
        keep = self._is_wanted[detections.class_id]
        return Detections(
            detections.xyxy[keep], detections.confidence[keep], detections.class_id[keep]
        )

    def close_period(self) -> PeriodTotals:
        """End a period: its totals, and all of them begin again from zero."""
        closed = PeriodTotals(self.unique(), self.lines(), self.zones())
        self._counter.reset()
        return closed

    def save(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return {
            "core": base64.b64encode(self._counter.save()).decode(),
            "first_ns": self._first_ns,
            "last_ns": self._last_ns,
            "occupancy": self._occupancy.save(),
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from what `save` gave.

        Raises:
            StateError: it is of other places, classes or options, or damaged.
            ValueError, KeyError, TypeError: it is none of `save`'s.
        """
        first_ns, last_ns = saved["first_ns"], int(saved["last_ns"])
        self._occupancy.restore(saved["occupancy"])
        self._counter.restore(base64.b64decode(saved["core"]))
        self._first_ns = None if first_ns is None else int(first_ns)
        self._last_ns = last_ns
