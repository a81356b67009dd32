"""Keeps the totals of one source and turns them into a report."""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterable, Sequence

import numpy as np

from tallylens.bins import Bins
from tallylens.edge_runtime.core import CounterOptions, TrackCounter
from tallylens.edge_runtime.core.counting import Totals
from tallylens.edge_runtime.errors import UsageError
from tallylens.edge_runtime.types import Detections, Event, Line, Tracks, Zone
from tallylens.places import in_pixels
from tallylens.report import ClassCounts, LineReport, ZoneReport

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


class Tally:
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
        self.counting_ns = 0
        self._wanted = wanted_classes(self.class_names, None if any_class else classes)
        self._is_wanted = np.array([i in self._wanted for i in range(len(self.class_names))])
        self._counter = TrackCounter(
            len(self.class_names), frame_size, any_class=any_class, options=options
        )
        for start, end in self.line_ends:
            self._counter.add_line(start, end)
        for corners in self.zone_corners:
            self._counter.add_zone(corners)
        self._first_ns: int | None = None
        self._last_ns = 0
        self._occupancy = Bins(max)

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
        for class_id, number in zip(*np.unique(tracks.class_id, return_counts=True), strict=True):
            name = self.class_names[class_id]
            present[name] = max(present.get(name, 0), int(number))
        self._occupancy.add(self.seconds, present)

    def since_start(self, timestamp_ns: int) -> float:
        """Seconds of capture time from the first frame to `timestamp_ns`."""
        return (timestamp_ns - (self._first_ns or 0)) / 1e9

    def named(self, totals: Totals) -> ClassCounts:
        """Totals by class name: wanted classes above zero, in the model's order."""
        counts: ClassCounts = {}
        for i in np.flatnonzero(totals):
            if int(i) in self._wanted:
                name = self.class_names[i]
                counts[name] = counts.get(name, 0) + int(totals[i])
        return counts

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
        facts = self._counter.diagnostics()
        if not facts.frames:
            return ["no frame was read"]
        everything = self._counter.unique()
        if not everything.any():
            return [_why_nothing(facts.detections, facts.unconfirmed_tracks + facts.live_tracks)]
        if not self.unique():
            return [f"nothing of the chosen classes was seen, but {self._most(everything)}"]
        uncrossed = (
            f"{line.name}: nothing crossed it; {self._why_uncrossed(index)}"
            for index, line in enumerate(self.lines())
            if not line.crossed_in and not line.crossed_out
        )
        unentered = (
            f"{zone.name}: nothing entered it; {self._why_unentered(index)}"
            for index, zone in enumerate(self.zones())
            if not zone.entered
        )
        return [*uncrossed, *unentered]

    def _most(self, totals: Totals) -> str:
        """The classes with the highest totals: `3 car, 1 truck`."""
        most = np.argsort(-totals, kind="stable")[:5]
        return ", ".join(f"{totals[i]} {self.class_names[i]}" for i in most if totals[i])

    def _why_uncrossed(self, line: int) -> str:
        counts = self._counter.line(line)
        others = self._most(counts.crossed_in + counts.crossed_out)
        if others:
            return f"of other classes {others} did"
        nearest = self._counter.nearest(line)
        return "no object came near" if nearest is None else f"the nearest came to {nearest:.0f} px"

    def _why_unentered(self, zone: int) -> str:
        others = self._most(self._counter.zone(zone).entered)
        return f"of other classes {others} did" if others else "no object came into it"


def _why_nothing(detections: int, short_tracks: int) -> str:
    if not detections:
        return "nothing was detected in any frame; is it a model for what is in the picture?"
    return (
        f"there were {detections} detections, but nothing stayed long or clear enough to be an "
        f"object ({short_tracks} tracks were too short)"
    )
