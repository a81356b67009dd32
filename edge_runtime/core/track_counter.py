"""Detections to tracks, events and totals: the tracker and counter of the core."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CoreError, TimestampError, UsageError
from ..types import Detections, Event, Tracks
from .counter_options import ANCHORS, CounterOptions
from .events import EVENT_KINDS as EVENT_KINDS
from .events import event
from .findings import Finding, findings
from .native import TRACK, Handle, detection_rows, ffi, lib, names, struct
from .native import options as core_options
from .possible_returns import PossibleReturns
from .withheld_events import WithheldEvents

REGION_KINDS = names(lib.tally_region_kind)
# By kind. For an unknown kind one unnamed entry is asked for, which the core refuses.
_TOTALS = {kind: names(lib.tally_region_total_name, kind.encode()) for kind in REGION_KINDS}
_VALUES = {kind: names(lib.tally_region_value_name, kind.encode()) for kind in REGION_KINDS}
FARTHEST_NS = 1 << 62
NEVER_NS = -(1 << 63)
_TRACKS = 1024
_EVENTS = 256

ClassTotals = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LineCounts:
    """Crossings by class, each (num_classes,) int64."""

    crossed_in: ClassTotals
    crossed_out: ClassTotals


@dataclass(frozen=True)
class ZoneCounts:
    """Objects by class, each (num_classes,) int64, and dwell times in seconds."""

    now: ClassTotals
    entered: ClassTotals
    left: ClassTotals
    mean_dwell_s: float
    max_dwell_s: float


@dataclass(frozen=True)
class Visit:
    """An object that is in a region now, and for how long so far."""

    track_id: int
    class_id: int
    dwell_s: float


@dataclass(frozen=True)
class Diagnostics:
    """Why a total may be smaller than expected; see `tally_diagnostics` in tally.h."""

    frames: int
    detections: int
    below_low_confidence: int
    unconfirmed_tracks: int
    live_tracks: int
    longest_gap_ns: int
    unlinked: int
    needed_fps: float
    fastest: float
    longest_unconfirmed_s: float
    ignored: int


def _visit(one: Any) -> Visit:
    return Visit(one.track_id, one.class_id, one.dwell_s)


class TrackCounter:
    """Tracks objects through frames of one size and counts them.

    Args:
        num_classes: class ids run from 0 to num_classes - 1; 1 with `any_class`.
        frame_size: (width, height) of the frames in pixels.
        any_class: count every detection as class 0.
        min_size, max_size: smaller and larger detections are ignored: pixels of the side of a
            square of the same area; None sets no bound.

    Attributes:
        returns: which objects could be the same as one that was counted before.
        withheld: the events that are kept back after `withhold`.
    """

    def __init__(
        self,
        num_classes: int,
        frame_size: tuple[int, int],
        *,
        any_class: bool = False,
        options: CounterOptions | None = None,
        min_size: float | None = None,
        max_size: float | None = None,
    ) -> None:
        values = dict(vars(options or CounterOptions()))
        sizes = {"min_size": min_size, "max_size": max_size}
        values |= {name: size for name, size in sizes.items() if size is not None}
        values["anchor"] = ANCHORS[values["anchor"]]
        width, height = frame_size
        self.num_classes = 1 if any_class else num_classes
        self._handle = Handle(
            "counter",
            core_options(
                "counter",
                num_classes=self.num_classes,
                frame_width=width,
                frame_height=height,
                any_class=any_class,
                **values,
            ),
        )
        self.returns = PossibleReturns(self._handle, self.num_classes)
        self.withheld = WithheldEvents(self._handle)
        self._tracks = np.empty(_TRACKS, TRACK)
        self._events = ffi.new("tally_event[]", _EVENTS)
        self._count = ffi.new("int32_t *")

    def add_region(
        self, kind: str, points: Sequence[tuple[float, float]], **parameters: float
    ) -> int:
        """Add a region in pixels, before the first frame; returns its index among its kind.

        Args:
            kind: counting rule, one of REGION_KINDS: "line" of two points or "zone" of corners.
            points: (x, y) in pixels.
            parameters: fields of `tally_region_options`: `extend` of a line, `min_dwell_s` of a
                zone.

        Raises:
            CoreError: points or parameters are out of bounds, or a frame has been counted.
        """
        index = ffi.new("int32_t *")
        corners = ffi.new("tally_point[]", [tuple(point) for point in points])
        self._handle.call(
            lib.tally_counter_add_region,
            kind.encode(),
            corners,
            len(corners),
            core_options("region", **parameters),
            index,
        )
        return int(index[0])

    def add_line(
        self, start: tuple[float, float], end: tuple[float, float], *, extend: bool = False
    ) -> int:
        """Add a line in pixels, before the first frame; returns its index. Endless if `extend`."""
        return self.add_region("line", (start, end), extend=extend)

    def add_zone(self, corners: Sequence[tuple[float, float]], *, min_dwell_s: float = 0.0) -> int:
        """Add a polygon in pixels, before the first frame; returns its index.

        An object that stays for less than `min_dwell_s` seconds neither enters nor leaves.
        """
        return self.add_region("zone", corners, min_dwell_s=min_dwell_s)

    def want_classes(self, class_ids: Iterable[int]) -> None:
        """Choose each object's class among these where its vote gives them enough.

        Objects of other classes are counted under their own. Call it before the first frame.

        Raises:
            CoreError: an id is out of range, or a frame has been counted.
        """
        ids = ffi.new("int32_t[]", list(class_ids))
        self._handle.call(lib.tally_counter_want_classes, ids, len(ids))

    def withhold(self) -> None:
        """Take events of wanted classes only, from before the first frame on.

        The events of an object that becomes one of a wanted class follow then, under that class.
        """
        self._handle.call(lib.tally_counter_withhold)

    def ignore(self, corners: Sequence[tuple[float, float]]) -> None:
        """Neither track nor count detections whose anchor is inside this polygon in pixels.

        Raises:
            CoreError: not 3 to 1000 finite corners, or a frame has been counted.
        """
        points = ffi.new("tally_point[]", [tuple(corner) for corner in corners])
        self._handle.call(lib.tally_counter_ignore, points, len(points))

    def usable(self, detections: Detections) -> npt.NDArray[np.bool_]:
        """Whether `update` would track each detection, (n,): neither weak nor ignored."""
        rows = detection_rows(detections)
        found = np.zeros(len(rows), np.int32)
        self._handle.call(
            lib.tally_counter_usable,
            ffi.cast("tally_detection *", rows.ctypes.data),
            len(rows),
            ffi.cast("int32_t *", found.ctypes.data),
        )
        return found.astype(bool)

    @property
    def last_ns(self) -> int | None:
        """Capture time of the last frame counted, None before the first."""
        last = self._facts().last_timestamp_ns
        return None if last == NEVER_NS else int(last)

    def update(self, timestamp_ns: int, detections: Detections) -> Tracks:
        """Count one frame and return the confirmed tracks seen in it.

        Raises:
            TimestampError: `timestamp_ns` is not later than the frame before.
            UsageError: `timestamp_ns` is more than a century from zero.
        """
        if not -FARTHEST_NS < timestamp_ns < FARTHEST_NS:
            raise UsageError(
                f"the timestamp is {timestamp_ns} ns", "Give nanoseconds since an epoch"
            )
        rows = detection_rows(detections)
        pointer = ffi.cast("tally_detection *", rows.ctypes.data)
        try:
            self._handle.call(lib.tally_counter_update, timestamp_ns, pointer, len(rows))
        except CoreError as error:
            previous = self.last_ns
            if error.status != lib.TALLY_OUT_OF_ORDER or previous is None:
                raise
            raise TimestampError(timestamp_ns, previous) from None
        return self._visible()

    def _visible(self) -> Tracks:
        pointer = ffi.cast("tally_track *", self._tracks.ctypes.data)
        status = lib.tally_counter_tracks(
            self._handle.pointer, pointer, len(self._tracks), self._count
        )
        if status == lib.TALLY_BUFFER_TOO_SMALL:
            self._tracks = np.empty(2 * self._count[0], TRACK)
            return self._visible()
        found = self._tracks[: self._count[0]].copy()
        return Tracks(found["xyxy"], found["confidence"], found["class_id"], found["track_id"])

    def conclude(self) -> None:
        """The source has ended: count what is past a line and moves on."""
        self._handle.call(lib.tally_counter_conclude)

    def take_events(self) -> list[Event]:
        """The events since the last call, oldest first."""
        events: list[Event] = []
        while True:
            self._handle.call(lib.tally_counter_take_events, self._events, _EVENTS, self._count)
            taken = self._count[0]
            events.extend(event(one) for one in self._events[0:taken])
            if taken < _EVENTS:
                return events

    def _class_totals(self, function: Any, *arguments: Any) -> ClassTotals:
        totals = np.zeros(self.num_classes, np.int64)
        pointer = ffi.cast("int64_t *", totals.ctypes.data)
        self._handle.call(function, *arguments, pointer, self.num_classes)
        return totals

    def unique(self) -> ClassTotals:
        """Unique objects so far by class, (num_classes,) int64."""
        return self._class_totals(lib.tally_counter_unique)

    def detected(self) -> ClassTotals:
        """Detections so far by class, counted or not, (num_classes,) int64."""
        return self._class_totals(lib.tally_counter_detected)

    def region_totals(self, kind: str, index: int) -> dict[str, ClassTotals]:
        """Class totals of a region by name, each (num_classes,) int64.

        "in" and "out" of a line; "now", "entered" and "left" of a zone.
        """
        label, total = kind.encode(), lib.tally_counter_region_total
        return {
            name: self._class_totals(total, label, index, position)
            for position, name in enumerate(_TOTALS.get(kind, ("",)))
        }

    def region_values(self, kind: str, index: int) -> dict[str, float]:
        """Values of a region by name.

        "nearest" of a line: minimum distance in pixels between it and a counted object, -1 without
        any. "mean_dwell_s" and "max_dwell_s" of a zone: in seconds, 0 without any visit.
        """
        label, out = kind.encode(), ffi.new("double *")
        values: dict[str, float] = {}
        for position, name in enumerate(_VALUES.get(kind, ("",))):
            self._handle.call(lib.tally_counter_region_value, label, index, position, out)
            values[name] = out[0]
        return values

    def line(self, index: int) -> LineCounts:
        """Totals of one line."""
        totals = self.region_totals("line", index)
        return LineCounts(totals["in"], totals["out"])

    def zone(self, index: int) -> ZoneCounts:
        """Totals of one zone."""
        totals, values = self.region_totals("zone", index), self.region_values("zone", index)
        return ZoneCounts(
            totals["now"],
            totals["entered"],
            totals["left"],
            values["mean_dwell_s"],
            values["max_dwell_s"],
        )

    def nearest(self, line: int) -> float | None:
        """Minimum distance in pixels between a counted object and the line; None without any."""
        distance = self.region_values("line", line)["nearest"]
        return distance if distance >= 0 else None

    def visits(self, kind: str, index: int) -> list[Visit]:
        """The counted objects that are in a region now."""
        call = lib.tally_counter_region_visits
        return self._handle.all(call, "visit", _visit, kind.encode(), index)

    def diagnostics(self) -> Diagnostics:
        """Frames, detections and tracks so far, and why a total may be smaller than expected."""
        out = self._facts()
        return Diagnostics(*(getattr(out, name) for name in Diagnostics.__dataclass_fields__))

    def _facts(self) -> Any:
        out = struct("diagnostics")
        self._handle.call(lib.tally_counter_diagnostics, out)
        return out

    def findings(self) -> list[Finding]:
        """Why totals are zero, or smaller than expected; none if all was counted as asked."""
        return findings(self._handle)

    def reset(self) -> None:
        """End a period: totals and diagnostics restart from zero; read them before.

        Objects are kept and not counted again; visits continue.
        """
        self._handle.call(lib.tally_counter_reset)

    def save(self) -> bytes:
        """All that `restore` needs to continue with the same counts.

        What `returns` and `withheld` hold is saved apart.
        """
        size = ffi.new("size_t *")
        lib.tally_counter_save(self._handle.pointer, ffi.NULL, 0, size)
        state = ffi.new("uint8_t[]", size[0])
        self._handle.call(lib.tally_counter_save, state, size[0], size)
        return bytes(ffi.buffer(state, size[0]))

    def restore(self, state: bytes) -> None:
        """Resume from what a counter of the same classes, frame size, options and regions saved.

        Raises:
            StateError: anything else; the counter is unchanged.
        """
        self._handle.restore(lib.tally_counter_restore, ffi.from_buffer(state), len(state))
