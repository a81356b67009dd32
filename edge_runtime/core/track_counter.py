"""Detections to tracks, events and totals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import CoreError, StateError, TimestampError, UsageError
from ..types import Detections, Event, EventKind, Tracks
from .native import DETECTION, TRACK, Handle, ffi, lib

AnchorPoint = Literal["bottom-centre", "centre", "top-centre"]
ANCHORS: dict[AnchorPoint, int] = {
    "bottom-centre": lib.TALLY_BOTTOM_CENTRE,
    "centre": lib.TALLY_CENTRE,
    "top-centre": lib.TALLY_TOP_CENTRE,
}
EVENT_KINDS: tuple[EventKind, ...] = (
    "confirmed",
    "crossed_in",
    "crossed_out",
    "entered",
    "left",
    "reclassified",
)
FARTHEST_NS = 1 << 62
NEVER_NS = -(1 << 63)
_TRACKS = 1024
_EVENTS = 256

ClassTotals = npt.NDArray[np.int64]


def _default(name: str) -> float:
    options = ffi.new("tally_counter_options *")
    lib.tally_counter_defaults(options)
    # The struct holds float32; six digits give back the number that was written in the core.
    return float(f"{getattr(options, name):.6g}")


@dataclass(frozen=True)
class CounterOptions:
    """Thresholds of tracking and counting; the core's defaults, each explained in tally.h."""

    anchor: AnchorPoint = "bottom-centre"
    low_confidence: float = _default("low_confidence")
    high_confidence: float = _default("high_confidence")
    new_confidence: float = _default("new_confidence")
    confirm_s: float = _default("confirm_s")
    confirm_confidence: float = _default("confirm_confidence")
    lost_s: float = _default("lost_s")
    edge_lost_s: float = _default("edge_lost_s")
    hysteresis: float = _default("hysteresis")

    def with_confidence(self, least: float) -> CounterOptions:
        """The same for objects of at least this confidence, at first and on average.

        Known objects are still followed through weaker boxes.
        """
        return replace(
            self,
            low_confidence=min(self.low_confidence, least),
            high_confidence=min(self.high_confidence, least),
            new_confidence=least,
            confirm_confidence=least,
        )


@dataclass(frozen=True)
class LineCounts:
    """Crossings by class, each (num_classes,) int64."""

    crossed_in: ClassTotals
    crossed_out: ClassTotals


@dataclass(frozen=True)
class ZoneCounts:
    """Objects by class, each (num_classes,) int64, and stays in seconds."""

    now: ClassTotals
    entered: ClassTotals
    left: ClassTotals
    mean_dwell_s: float
    max_dwell_s: float


@dataclass(frozen=True)
class Visit:
    """An object that is in a zone now, and for how long so far."""

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


@dataclass(frozen=True)
class Period:
    """All totals of a period that has ended."""

    unique: ClassTotals
    lines: tuple[LineCounts, ...]
    zones: tuple[ZoneCounts, ...]
    diagnostics: Diagnostics


class TrackCounter:
    """Tracks objects through frames of one size and counts them.

    Args:
        num_classes: class ids run from 0 to num_classes - 1; 1 with `any_class`.
        frame_size: (width, height) of the frames in pixels.
        any_class: count every detection as class 0.
    """

    def __init__(
        self,
        num_classes: int,
        frame_size: tuple[int, int],
        *,
        any_class: bool = False,
        options: CounterOptions | None = None,
    ) -> None:
        values = dict(vars(options or CounterOptions()))
        values["anchor"] = ANCHORS[values["anchor"]]
        width, height = frame_size
        self.num_classes = 1 if any_class else num_classes
        self._handle = Handle(
            "counter",
            ffi.new(
                "tally_counter_options *",
                {
                    "num_classes": self.num_classes,
                    "frame_width": width,
                    "frame_height": height,
                    "any_class": any_class,
                    **values,
                },
            ),
        )
        self._places = {"line": 0, "zone": 0}
        self._tracks = np.empty(_TRACKS, TRACK)
        self._events = ffi.new("tally_event[]", _EVENTS)
        self._count = ffi.new("int32_t *")

    def add_line(
        self, start: tuple[float, float], end: tuple[float, float], *, extend: bool = False
    ) -> int:
        """A line in pixels, before the first frame; returns its index. Endless with `extend`."""
        index = ffi.new("int32_t *")
        self._handle.call(lib.tally_counter_add_line, start, end, extend, index)
        self._places["line"] += 1
        return int(index[0])

    def add_zone(self, corners: Sequence[tuple[float, float]], *, min_dwell_s: float = 0.0) -> int:
        """A polygon in pixels, before the first frame; returns its index.

        Who stays for less than `min_dwell_s` neither enters nor leaves.
        """
        index = ffi.new("int32_t *")
        points = ffi.new("tally_point[]", list(corners))
        self._handle.call(lib.tally_counter_add_zone, points, len(points), index)
        self._handle.call(lib.tally_counter_set_least_dwell, index[0], min_dwell_s)
        self._places["zone"] += 1
        return int(index[0])

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
        rows = np.empty(len(detections), DETECTION)
        rows["xyxy"], rows["confidence"] = detections.xyxy, detections.confidence
        rows["class_id"] = detections.class_id
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

    def take_events(self) -> list[Event]:
        """The events since the last call, oldest first."""
        events: list[Event] = []
        while True:
            self._handle.call(lib.tally_counter_take_events, self._events, _EVENTS, self._count)
            taken = self._count[0]
            events.extend(
                Event(
                    EVENT_KINDS[e.kind],
                    e.timestamp_ns,
                    e.track_id,
                    e.class_id,
                    e.previous_class_id,
                    e.place,
                    e.x,
                    e.y,
                    e.confidence,
                    e.age_s,
                    e.dwell_s,
                )
                for e in self._events[0:taken]
            )
            if taken < _EVENTS:
                return events

    def _totals(self, count: int) -> tuple[list[ClassTotals], list[object]]:
        arrays = [np.zeros(self.num_classes, np.int64) for _ in range(count)]
        return arrays, [ffi.cast("int64_t *", array.ctypes.data) for array in arrays]

    def unique(self) -> ClassTotals:
        """Different objects so far by class, (num_classes,) int64."""
        (totals,), pointers = self._totals(1)
        self._handle.call(lib.tally_counter_unique, *pointers, self.num_classes)
        return totals

    def line(self, index: int) -> LineCounts:
        """Totals of one line."""
        arrays, pointers = self._totals(2)
        self._handle.call(lib.tally_counter_line, index, *pointers, self.num_classes)
        crossed_in, crossed_out = arrays
        return LineCounts(crossed_in, crossed_out)

    def zone(self, index: int) -> ZoneCounts:
        """Totals of one zone."""
        arrays, pointers = self._totals(3)
        self._handle.call(lib.tally_counter_zone, index, *pointers, self.num_classes)
        mean, longest = ffi.new("double *"), ffi.new("double *")
        self._handle.call(lib.tally_counter_dwell, index, mean, longest)
        now, entered, left = arrays
        return ZoneCounts(now, entered, left, mean[0], longest[0])

    def nearest(self, line: int) -> float | None:
        """Least distance in pixels between a counted object and the line; None without any."""
        distance = ffi.new("float *")
        self._handle.call(lib.tally_counter_nearest, line, distance)
        return float(distance[0]) if distance[0] >= 0 else None

    def present(self, zone: int) -> list[Visit]:
        """The objects in the zone now."""
        call, capacity = lib.tally_counter_present, _EVENTS
        while True:
            stays = ffi.new("tally_stay[]", capacity)
            status = call(self._handle.pointer, zone, stays, capacity, self._count)
            if status != lib.TALLY_BUFFER_TOO_SMALL:
                break
            capacity = self._count[0]
        self._handle.check(status)
        return [Visit(s.track_id, s.class_id, s.dwell_s) for s in stays[0 : self._count[0]]]

    def detected(self) -> ClassTotals:
        """Detections so far by class, counted or not, (num_classes,) int64."""
        (totals,), pointers = self._totals(1)
        self._handle.call(lib.tally_counter_detected, *pointers, self.num_classes)
        return totals

    def diagnostics(self) -> Diagnostics:
        """What went in, and what was left out."""
        out = self._facts()
        return Diagnostics(*(getattr(out, name) for name in Diagnostics.__dataclass_fields__))

    def _facts(self) -> Any:
        out = ffi.new("tally_diagnostics *")
        self._handle.call(lib.tally_counter_diagnostics, out)
        return out

    def reset(self) -> Period:
        """End a period: its totals are returned, and all totals begin again from zero.

        Objects go on and are not counted again; who is in a zone stays in it.
        """
        period = Period(
            self.unique(),
            tuple(self.line(index) for index in range(self._places["line"])),
            tuple(self.zone(index) for index in range(self._places["zone"])),
            self.diagnostics(),
        )
        self._handle.call(lib.tally_counter_reset)
        return period

    def save(self) -> bytes:
        """Everything that the counter knows; `restore` goes on from there with the same counts."""
        size = ffi.new("size_t *")
        lib.tally_counter_save(self._handle.pointer, ffi.NULL, 0, size)
        state = ffi.new("uint8_t[]", size[0])
        self._handle.call(lib.tally_counter_save, state, size[0], size)
        return bytes(ffi.buffer(state, size[0]))

    def restore(self, state: bytes) -> None:
        """Go on from what a counter of the same classes, frames, options and places saved.

        Raises:
            StateError: anything else; the counter is as it was.
        """
        try:
            self._handle.call(lib.tally_counter_restore, ffi.from_buffer(state), len(state))
        except CoreError as error:
            if error.status != lib.TALLY_BAD_STATE:
                raise
            raise StateError(error.message) from None
