"""What a report shows beyond totals: paths, recent events, crossings over time, one picture."""

from __future__ import annotations

import base64
import zlib
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..types import Image, Tracks
from .events import event_record
from .time_bins import TimeBins

if TYPE_CHECKING:
    from .session import FrameResult
    from .totals import Totals

COLUMNS = 96
MOST_EVENTS = 1000
PICTURE_SIDE = 1280
JPEG_QUALITY = 80

Cell = tuple[int, int]
Heat = npt.NDArray[np.uint32]


class History:
    """Watches a count in bounded memory.

    Attributes:
        heat: (rows, COLUMNS) uint32, how many objects' paths went through each part of the frame.
            An object that stands still adds nothing.
        events: the last MOST_EVENTS events as records of the event stream.
        events_seen: how many there were in all.
        crossings: crossings over time by `line index:in` and `line index:out`.
        picture: the frame with the most objects in it so far, or the first.
    """

    def __init__(self, frame_size: tuple[int, int]) -> None:
        width, height = frame_size
        self.frame_size = frame_size
        self.heat: Heat = np.zeros((max(1, round(COLUMNS * height / width)), COLUMNS), np.uint32)
        self.events: deque[dict[str, Any]] = deque(maxlen=MOST_EVENTS)
        self.events_seen = 0
        self.crossings = TimeBins(sum)
        self._jpeg: bytes | None = None
        self._picture: Image | None = None
        self._most_objects = -1
        self._cells: dict[int, Cell] = {}

    def add(self, counted: FrameResult, totals: Totals, epoch_ns: int | None) -> None:
        """Note one frame."""
        self._walk(counted.tracks)
        for event in counted.events:
            self.events.append(event_record(event, totals, epoch_ns))
            self.events_seen += 1
            if event.kind in ("crossed_in", "crossed_out"):
                way = f"{event.place}:{event.kind.removeprefix('crossed_')}"
                self.crossings.add(max(totals.since_start(event.timestamp_ns), 0.0), {way: 1})
        if len(counted.tracks) > self._most_objects:
            self._most_objects = len(counted.tracks)
            # The caller may use the memory of its frames again.
            self._picture, self._jpeg = counted.frame.image.copy(), None

    def _walk(self, tracks: Tracks) -> None:
        """Mark the cells that each object's foot has entered since the frame before."""
        rows, columns = self.heat.shape
        width, height = self.frame_size
        before, self._cells = self._cells, {}
        across, down = columns / width, rows / height
        for track, box in zip(tracks.track_id.tolist(), tracks.xyxy.tolist(), strict=True):
            x, y = int((box[0] + box[2]) / 2 * across), int(box[3] * down)
            cell = min(max(x, 0), columns - 1), min(max(y, 0), rows - 1)
            self._cells[track] = cell
            last = before.get(track)
            if last != cell:
                self._mark(last or cell, cell)

    def _mark(self, start: Cell, end: Cell) -> None:
        if abs(end[0] - start[0]) <= 1 and abs(end[1] - start[1]) <= 1:
            self.heat[end[1], end[0]] += 1
            return
        steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]))
        way = np.linspace(start, end, steps + 1)[1:].round().astype(int)
        self.heat[way[:, 1], way[:, 0]] += 1

    def picture(self) -> bytes | None:
        """The picture as JPEG of at most PICTURE_SIDE pixels' length, None before any frame."""
        if self._jpeg is None and self._picture is not None:
            self._jpeg = _jpeg(self._picture)
        return self._jpeg

    def save(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return {
            "heat": base64.b64encode(zlib.compress(self.heat.tobytes())).decode(),
            "events": list(self.events),
            "events_seen": self.events_seen,
            "crossings": self.crossings.save(),
            "picture": base64.b64encode(self.picture() or b"").decode(),
            "most_objects": self._most_objects,
            "cells": list(self._cells.items()),
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from what `save` gave.

        Raises:
            ValueError, KeyError, TypeError: it is none of `save`'s.
        """
        unpacker = zlib.decompressobj()
        heat = unpacker.decompress(base64.b64decode(saved["heat"]), self.heat.nbytes)
        self.heat = np.frombuffer(heat, np.uint32).reshape(self.heat.shape).copy()
        self.events.extend(saved["events"])
        self.events_seen = int(saved["events_seen"])
        self.crossings.restore(saved["crossings"])
        self._jpeg = base64.b64decode(saved["picture"]) or None
        self._most_objects = int(saved["most_objects"])
        self._cells = {int(track): (int(x), int(y)) for track, (x, y) in saved["cells"]}


def _jpeg(picture: Image) -> bytes:
    from ..sources.opencv import load_cv2

    cv2 = load_cv2()
    scale = PICTURE_SIDE / max(picture.shape[:2])
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(data.tobytes())
