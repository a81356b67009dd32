"""The possible returns of the core, in numpy: what its tests compare it with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from tallylens.edge_runtime.types import Event, FloatArray, Tracks

MAX_DISTANCE = 1.5  # in sizes of the larger box
MAX_RATIO = 1.5  # of the sizes
FIRST_CAPACITY = 256
ROW = np.dtype(
    [("track", np.int64), ("time", np.int64), ("class", np.int32), ("box", np.float32, 4)]
)
NOBODY = -1


class Return(NamedTuple):
    """A new object that could be one that was counted before."""

    timestamp_ns: int
    class_id: int
    track_id: int


class PossibleReturns:
    """Counts the objects that could be the same as one that was counted before in this period.

    An object that leaves the frame, or is lost for too long, gets a new number when it returns. A
    new object could be the same if one of its class and a similar size was last seen near there at
    most `remember_s` earlier. Each lost object returns at most once.

    Attributes:
        numbers: how many objects of each class id could be.
    """

    def __init__(self, remember_s: float) -> None:
        self.numbers: Counter[int] = Counter()
        self._remember_ns = round(remember_s * 1e9)
        # Where and when each object that was confirmed in this period was seen last.
        self._seen = np.zeros(0, ROW)
        self._row_of: dict[int, int] = {}
        self._free: list[int] = []
        self._returns: dict[int, Return] = {}  # by the track of the object before

    def note(self, now_ns: int, tracks: Tracks, events: Iterable[Event]) -> None:
        """Note a frame: its confirmed tracks and its events, both of all classes."""
        starts = {}
        for event in events:
            if event.kind == "confirmed":
                starts[event.track_id] = event.timestamp_ns - round(event.age_s * 1e9)
            elif event.kind == "reclassified":
                self._reclassify(event)
        ids = tracks.track_id.tolist()
        if starts or self._returns:
            self._start_and_resume(now_ns, tracks, ids, starts)
        pairs = [
            (i, row) for i, track in enumerate(ids) if (row := self._row_of.get(track)) is not None
        ]
        if pairs:
            here, rows = (list(column) for column in zip(*pairs, strict=True))
            seen = self._seen
            seen["time"][rows] = now_ns
            seen["class"][rows] = tracks.class_id[here]
            seen["box"][rows] = tracks.xyxy[here]

    def _start_and_resume(
        self, now_ns: int, tracks: Tracks, ids: list[int], starts: Mapping[int, int]
    ) -> None:
        for i, track_id in enumerate(ids):
            if track_id in starts:
                self._appear(track_id, starts[track_id], int(tracks.class_id[i]), tracks.xyxy[i])
            elif track_id in self._returns:
                # It was lost and has been found again: the other object is another.
                self.numbers[self._returns.pop(track_id).class_id] -= 1
            else:
                continue
            self._add(track_id, now_ns)

    def _appear(self, track_id: int, start_ns: int, class_id: int, box: FloatArray) -> None:
        seen = self._seen
        age_ns = start_ns - seen["time"]
        near = (seen["track"] != NOBODY) & (age_ns > 0) & (age_ns <= self._remember_ns)
        near &= seen["class"] == class_id
        rows = np.flatnonzero(near)
        if not len(rows):
            return
        distances = _distances(seen["box"][rows], box)
        best = int(distances.argmin())
        if distances[best] <= MAX_DISTANCE:
            self._returns[self._remove(int(rows[best]))] = Return(start_ns, class_id, track_id)
            self.numbers[class_id] += 1

    def _add(self, track_id: int, now_ns: int) -> None:
        if not self._free:
            self._forget(now_ns)
        row = self._row_of[track_id] = self._free.pop()
        self._seen["track"][row], self._seen["time"][row] = track_id, now_ns

    def _remove(self, row: int) -> int:
        """Free a row; returns its track."""
        track_id = int(self._seen["track"][row])
        self._seen["track"][row] = NOBODY
        del self._row_of[track_id]
        self._free.append(row)
        return track_id

    def _forget(self, now_ns: int) -> None:
        """Drop what is too old, and double the rows if few are free then."""
        since_ns = now_ns - self._remember_ns
        self._returns = {k: one for k, one in self._returns.items() if one.timestamp_ns >= since_ns}
        old = (self._seen["track"] != NOBODY) & (self._seen["time"] < since_ns)
        for row in np.flatnonzero(old).tolist():
            self._remove(row)
        size = len(self._seen)
        if len(self._free) <= size // 2:
            more = np.zeros(max(size, FIRST_CAPACITY), ROW)
            more["track"] = NOBODY
            self._seen = np.concatenate([self._seen, more])
            self._free += range(size, len(self._seen))

    def _reclassify(self, event: Event) -> None:
        for lost, one in self._returns.items():
            if one.track_id == event.track_id:
                self._returns[lost] = one._replace(class_id=event.class_id)
                self.numbers[one.class_id] -= 1
                self.numbers[event.class_id] += 1


def _distances(boxes: FloatArray, box: FloatArray) -> FloatArray:
    """Distances of the centers in sizes of the larger box; infinite for boxes of other sizes."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-3)
    side = np.maximum(box[2:] - box[:2], 1e-3)
    sizes, size = np.sqrt(sides[:, 0] * sides[:, 1]), np.sqrt(side[0] * side[1])
    larger, smaller = np.maximum(sizes, size), np.minimum(sizes, size)
    offsets = (boxes[:, :2] + boxes[:, 2:] - box[:2] - box[2:]) / 2
    distances: FloatArray = np.hypot(offsets[:, 0], offsets[:, 1]) / larger
    distances[larger > MAX_RATIO * smaller] = np.inf
    return distances
