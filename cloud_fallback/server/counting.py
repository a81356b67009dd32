"""Mode `count`: the server tracks and counts one session's frames, with the device's own core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...edge_runtime.core import TrackCounter
from ...edge_runtime.core.track_counter import ClassTotals
from ...edge_runtime.types import Detections
from ..wire.frames import FrameHeader
from ..wire.messages import Place
from ..wire.server_session import NO_TIME_US


@dataclass(frozen=True)
class CountState:
    """What another process needs to go on counting. `state` is the core's own."""

    names: tuple[str, ...]
    places: tuple[Place, ...]
    any_class: bool
    size: tuple[int, int]
    state: bytes
    last_us: int
    done: tuple[tuple[FrameHeader, Detections], ...]


class SessionCount:
    """Counts frames in the order of their sequence numbers, however their answers come."""

    def __init__(
        self, class_names: Sequence[str], places: Sequence[Place], any_class: bool
    ) -> None:
        self._names = ("object",) if any_class else tuple(class_names)
        self._places = places
        self._any_class = any_class
        self._counter: TrackCounter | None = None
        self._size = (0, 0)
        self._done: dict[int, tuple[FrameHeader, Detections]] = {}
        self.last_us = NO_TIME_US

    def save(self) -> CountState:
        """Everything known so far."""
        counter = self._counter
        return CountState(
            self._names,
            tuple(self._places),
            self._any_class,
            self._size,
            b"" if counter is None else counter.save(),
            self.last_us,
            tuple(self._done.values()),
        )

    @classmethod
    def restored(cls, state: CountState) -> SessionCount:
        """Go on from what another process saved."""
        count = cls(state.names, state.places, state.any_class)
        count._size, count.last_us = state.size, state.last_us
        count._done = {header.sequence: (header, found) for header, found in state.done}
        if state.state:
            count._counter = count._begin(state.size)
            count._counter.restore(state.state)
        return count

    def add(self, header: FrameHeader, detections: Detections) -> None:
        """An answered frame; it waits until those before it are answered or refused."""
        self._done[header.sequence] = (header, detections)

    def settle(self, ack: int) -> None:
        """Count what waits up to number `ack`."""
        for sequence in sorted(one for one in self._done if one <= ack):
            self._count(*self._done.pop(sequence))

    def _count(self, header: FrameHeader, detections: Detections) -> None:
        size = (header.width, header.height)
        if self._counter is None:
            self._counter, self._size = self._begin(size), size
        # A client on a poor link sends smaller pictures of the same view.
        scale = np.tile(np.array(self._size, np.float32) / np.array(size, np.float32), 2)
        scaled = Detections(
            detections.xyxy * scale.astype(np.float32), detections.confidence, detections.class_id
        )
        self._counter.update(header.capture_us * 1000, scaled)
        self.last_us = header.capture_us

    def _begin(self, size: tuple[int, int]) -> TrackCounter:
        counter = TrackCounter(len(self._names), size, any_class=self._any_class)
        for place in self._places:
            points = [(x * size[0], y * size[1]) for x, y in place.points]
            if place.kind == "line":
                counter.add_line(points[0], points[1])
            else:
                counter.add_zone(points)
        return counter

    def report(self) -> dict[str, Any]:
        """`unique`, `lines` and `zones` as in the document of `tallylens count --json`."""
        counter = self._counter
        if counter is None:
            return {}
        lines = [place for place in self._places if place.kind == "line"]
        zones = [place for place in self._places if place.kind == "zone"]
        crossed = [counter.line(i) for i in range(len(lines))]
        stays = [counter.zone(i) for i in range(len(zones))]
        return {
            "unique": self._named(counter.unique()),
            "lines": [
                {
                    "name": place.name,
                    "in": self._named(line.crossed_in),
                    "out": self._named(line.crossed_out),
                }
                for place, line in zip(lines, crossed, strict=True)
            ],
            "zones": [
                {
                    "name": place.name,
                    "now": self._named(zone.now),
                    "entered": self._named(zone.entered),
                    "dwell_s": {"mean": zone.mean_dwell_s, "max": zone.max_dwell_s},
                }
                for place, zone in zip(zones, stays, strict=True)
            ],
        }

    def _named(self, totals: ClassTotals) -> Mapping[str, int]:
        return {self._names[i]: int(totals[i]) for i in np.flatnonzero(totals)}
