"""Totals: tracks and counts the detections of one source, frame by frame."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..core import CounterOptions, TrackCounter
from ..core.track_counter import ClassTotals, Diagnostics
from ..types import Detections, Event, Tracks
from .class_filter import ClassFilter
from .detection_filter import DetectionFilter, PlacedFilter
from .diagnostics import explanations, uncounted
from .period_totals import PeriodTotals
from .region import ClassCounts, RegionReport
from .regions import (
    KIND_OF_EVENT,
    Line,
    LineReport,
    PlacedRegion,
    Region,
    Zone,
    ZoneReport,
    place_regions,
)
from .time_bins import TimeBins

ANY_CLASS_NAME = "object"


class Totals:
    """Tracks and counts the detections of one source, frame by frame.

    Args:
        class_names: the model's class names, by id.
        frame_size: (width, height) of the frames in pixels.
        lines: where crossings are counted.
        zones: where visits are counted.
        regions: more lines and zones, or regions of other kinds.
        classes: names of the classes to count; None counts all.
        any_class: count every detection as one class, `object`.
        options: thresholds of tracking and counting.
        ignore: zones; a detection whose anchor point is in one is neither tracked nor counted.
        min_size: smaller detections are not tracked either; see `DetectionFilter`.
        max_size: larger ones are not.

    Attributes:
        class_names: of what is counted, by id: the model's, or `object` alone.
        model_class_names: of the detections.
        placed: all regions in pixels, in the order of reports.
        only: the filter of detections, in pixels.

    Raises:
        UsageError: an unknown class.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        frame_size: tuple[int, int],
        *,
        lines: Sequence[Line] = (),
        zones: Sequence[Zone] = (),
        regions: Sequence[Region] = (),
        classes: Iterable[str] | None = None,
        any_class: bool = False,
        options: CounterOptions | None = None,
        ignore: Sequence[Zone] = (),
        min_size: float | None = None,
        max_size: float | None = None,
    ) -> None:
        self.model_class_names = tuple(class_names)
        self.class_names = (ANY_CLASS_NAME,) if any_class else tuple(class_names)
        self.frame_size = frame_size
        self.placed = place_regions((*lines, *zones, *regions), frame_size)
        self.only = DetectionFilter(tuple(ignore), min_size, max_size).place(frame_size)
        self.options = options or CounterOptions()
        self.counting_ns = 0
        self._filter = ClassFilter(self.class_names, None if any_class else classes)
        self._counter = TrackCounter(
            len(self.class_names),
            frame_size,
            any_class=any_class,
            options=self.options,
            min_size=self.only.min_size,
            max_size=self.only.max_size,
        )
        for _, corners in self.only.zones:
            self._counter.ignore(corners)
        if not self._filter.takes_all:
            self._counter.want_classes(self._filter.wanted)
            self._counter.withhold()
        self._of_event: dict[tuple[str, int], PlacedRegion] = {}
        for placed in self.placed:
            parameters = placed.region.parameters()
            self._counter.add_region(placed.region.kind, placed.points, **parameters)
            self._of_event[placed.region.kind, placed.index] = placed
        self._first_ns: int | None = None
        self._last_ns = 0
        self._occupancy = TimeBins("max", self.class_names)

    def add(self, timestamp_ns: int, detections: Detections) -> tuple[Tracks, list[Event]]:
        """Count one frame; the tracks and events of the wanted classes.

        Raises:
            TimestampError: not later than the frame before.
        """
        start = time.thread_time_ns()
        found = self._counter.update(timestamp_ns, detections)
        tracks = self._filter.tracks(found)
        events = self._take_events()
        self.counting_ns += time.thread_time_ns() - start
        self._first_ns = timestamp_ns if self._first_ns is None else self._first_ns
        self._last_ns = timestamp_ns
        if len(tracks):
            self._occupancy.add(self.seconds, tracks.class_id)
        return tracks, events

    def conclude(self) -> list[Event]:
        """The source has ended: count what is past a line and moves on; the events of that.

        More frames may follow later, and nothing is counted twice.
        """
        self._counter.conclude()
        return self._take_events()

    def _take_events(self) -> list[Event]:
        return [self._with_names(event) for event in self._counter.take_events()]

    def _with_names(self, event: Event) -> Event:
        placed = self.region_of(event)
        name = "" if placed is None else placed.name
        return replace(event, class_name=self.class_names[event.class_id], region=name)

    def region_of(self, event: Event) -> PlacedRegion | None:
        """The region that the event belongs to, None for events without one."""
        kind = KIND_OF_EVENT.get(event.kind)
        return None if kind is None else self._of_event[kind, event.place]

    def since_start(self, timestamp_ns: int) -> float:
        """Seconds of capture time from the first frame to `timestamp_ns`."""
        return (timestamp_ns - (self._first_ns or 0)) / 1e9

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

    def unique_range(self) -> dict[str, tuple[int, int]]:
        """Minimum and maximum of different objects, of the classes where these differ.

        The maximum is `unique`. The minimum takes every object for one that was counted before if
        a similar one was lost near there at most `remember_s` earlier.
        """
        doubtful = self.named(self._counter.returns.numbers())
        unique = self.unique()
        return {
            name: (most - doubtful[name], most)
            for name, most in unique.items()
            if doubtful.get(name, 0)
        }

    def regions(self) -> tuple[RegionReport, ...]:
        """Totals of every region, in the order of `placed`."""
        return tuple(self._report(placed) for placed in self.placed)

    def _report(self, placed: PlacedRegion) -> RegionReport:
        values = self._counter.region_values(placed.region.kind, placed.index)
        counts = {key: self.named(one) for key, one in self.region_totals(placed).items()}
        return placed.region.report(placed.name, counts, values)

    def lines(self) -> tuple[LineReport, ...]:
        """Totals of every line."""
        return tuple(one for one in self.regions() if isinstance(one, LineReport))

    def zones(self) -> tuple[ZoneReport, ...]:
        """Totals of every zone."""
        return tuple(one for one in self.regions() if isinstance(one, ZoneReport))

    def region_totals(self, placed: PlacedRegion) -> dict[str, ClassTotals]:
        """The core's totals of a region by name, each by class, of all classes."""
        return self._counter.region_totals(placed.region.kind, placed.index)

    def region_values(self, index: int) -> Mapping[str, float]:
        """The core's other values of `placed[index]`, such as distances and dwell times."""
        placed = self.placed[index]
        return self._counter.region_values(placed.region.kind, placed.index)

    def occupancy(self) -> tuple[tuple[float, ClassCounts], ...]:
        """For each second with objects in view, the maximum of each class at once.

        After a day of such seconds it is for each two of them, and so on.
        """
        return tuple(self._occupancy)

    def explanations(self) -> list[str]:
        """Why totals are zero, where they are."""
        return explanations(self, self._counter.findings())

    def uncounted(self) -> dict[str, Any]:
        """Detections and tracks that were never counted."""
        return uncounted(self)

    def diagnostics(self) -> Diagnostics:
        """Facts about the frames, detections and tracks so far."""
        return self._counter.diagnostics()

    def detected(self) -> ClassTotals:
        """Detections by class, counted or not."""
        return self._counter.detected()

    def everything(self) -> ClassTotals:
        """Different objects by class, of all classes."""
        return self._counter.unique()

    def named(self, class_totals: ClassTotals) -> ClassCounts:
        """Totals by class name: wanted classes above zero, in the model's order."""
        return self._filter.named(class_totals)

    def unwanted(self, class_totals: ClassTotals) -> ClassCounts:
        """Totals by class name of the classes that were not asked for."""
        return self._filter.unwanted(class_totals)

    def only_wanted(self, detections: Detections) -> Detections:
        """The detections of wanted classes that are tracked."""
        if self.only != PlacedFilter():
            keep = self._counter.usable(detections)
            detections = Detections(
                detections.xyxy[keep], detections.confidence[keep], detections.class_id[keep]
            )
        return self._filter.detections(detections)

    def close_period(self) -> PeriodTotals:
        """End a period: its totals; all of them restart from zero."""
        closed = PeriodTotals.of(self.unique(), self.regions())
        self._counter.reset()
        return closed

    def save(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return {
            "core": base64.b64encode(self._counter.save()).decode(),
            "first_ns": self._first_ns,
            "last_ns": self._last_ns,
            "occupancy": self._occupancy.save(),
            "withheld": self._counter.withheld.save(),
            "returns": self._counter.returns.save(),
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Resume from what `save` gave.

        Raises:
            StateError: it is of other regions, classes or options, or damaged.
            ValueError, KeyError, TypeError: not such values.
        """
        first_ns, last_ns = saved["first_ns"], int(saved["last_ns"])
        self._counter.restore(base64.b64decode(saved["core"]))
        self._counter.withheld.restore(saved.get("withheld", ()))
        if "returns" in saved:
            self._counter.returns.restore(saved["returns"])
        self._occupancy.restore(saved["occupancy"])
        self._first_ns = None if first_ns is None else int(first_ns)
        self._last_ns = last_ns
