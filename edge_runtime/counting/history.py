"""The history of a count, for its HTML report: paths, recent events, crossings, a frame."""

from __future__ import annotations

import base64
import zlib
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..types import Image, Tracks
from .events import event_record
from .packing import pack, unpack
from .period_totals import Period
from .sinks import FrameResult
from .time_bins import TimeBins

COLUMNS = 96
MAX_EVENTS = 1000
# The count page shows so many.
MAX_SAVED_EVENTS = 500
IMAGE_SIDE = 1280
JPEG_QUALITY = 80
# A saved count holds a smaller image, because it is written often.
SAVED_IMAGE_SIDE = 640
MAX_SAVED_IMAGE_BYTES = 32 << 10

# Names of the crossings of each line that a count can have.
SERIES = [f"{line}:{way}" for line in range(256) for way in ("in", "out")]

Cell = tuple[int, int]
Heat = npt.NDArray[np.uint32]


class History:
    """Records a count in bounded memory; see `Sink`.

    Attributes:
        heat: (rows, COLUMNS) uint32, number of objects whose path went through each cell of the
            frame. An object that stands still adds nothing.
        events: the last MAX_EVENTS events as records of the event stream.
        events_seen: number of all events so far.
        crossings: crossings over time by `line index:in` and `line index:out`.
    """

    def __init__(self, frame_size: tuple[int, int]) -> None:
        width, height = frame_size
        self.frame_size = frame_size
        self.heat: Heat = np.zeros((max(1, round(COLUMNS * height / width)), COLUMNS), np.uint32)
        self.events: deque[dict[str, Any]] = deque(maxlen=MAX_EVENTS)
        self.events_seen = 0
        self.crossings = TimeBins("sum", SERIES)
        self._jpeg: bytes | None = None
        self._image: Image | None = None
        self._small: tuple[bytes, bytes] | None = None
        self._max_objects = -1
        self._cells: dict[int, Cell] = {}

    def frame(self, result: FrameResult) -> None:
        """Record one frame."""
        totals = result.totals
        self._walk(result.tracks)
        for event in result.events:
            self.events.append(event_record(event, result))
            self.events_seen += 1
            if event.kind in ("crossed_in", "crossed_out"):
                series = 2 * event.place + (event.kind == "crossed_out")
                time_s = max(totals.since_start(event.timestamp_ns), 0.0)
                self.crossings.add(time_s, np.array([series], np.int32))
        if len(result.tracks) > self._max_objects:
            image = result.frame.image
            if image is None:
                return
            self._max_objects = len(result.tracks)
            # The caller may use the memory of its frames again.
            self._image, self._jpeg = image.copy(), None

    def period(self, period: Period) -> None:
        """Nothing: the history of a count spans its periods."""

    def close(self) -> None:
        """Nothing is open."""

    def _walk(self, tracks: Tracks) -> None:
        """Mark the cells that each object's foot point has entered since the frame before."""
        rows, columns = self.heat.shape
        width, height = self.frame_size
        before, self._cells = self._cells, {}
        across, down = columns / width, rows / height
        x = np.clip((tracks.xyxy[:, 0] + tracks.xyxy[:, 2]) / 2 * across, 0, columns - 1)
        y = np.clip(tracks.xyxy[:, 3] * down, 0, rows - 1)
        cells = zip(x.astype(int).tolist(), y.astype(int).tolist(), strict=True)
        for track, cell in zip(tracks.track_id.tolist(), cells, strict=True):
            self._cells[track] = cell
            last = before.get(track)
            if last != cell:
                self._mark(last or cell, cell)

    def _mark(self, start: Cell, end: Cell) -> None:
        if abs(end[0] - start[0]) <= 1 and abs(end[1] - start[1]) <= 1:
            self.heat[end[1], end[0]] += 1
            return
        across, down = end[0] - start[0], end[1] - start[1]
        steps = max(abs(across), abs(down))
        # The few cells of a path are quicker one by one than with numpy.
        for i in range(1, steps + 1):
            self.heat[start[1] + round(down * i / steps), start[0] + round(across * i / steps)] += 1

    def picture(self) -> bytes | None:
        """The frame with the most objects as JPEG of at most IMAGE_SIDE pixels, None before any."""
        if self._jpeg is None and self._image is not None:
            self._jpeg = _jpeg(self._image)
        return self._jpeg

    def _saved_picture(self) -> bytes:
        """The image in at most MAX_SAVED_IMAGE_BYTES, empty before any."""
        picture = self.picture() or b""
        if len(picture) > MAX_SAVED_IMAGE_BYTES:
            if self._small is None or self._small[0] != picture:
                self._small = (picture, _smaller(picture))
            picture = self._small[1]
        return picture

    def save(self) -> dict[str, Any]:
        """The history's part of a saved count."""
        return {"history": self._values()}

    def _values(self) -> dict[str, Any]:
        return {
            "heat": base64.b64encode(zlib.compress(self.heat.tobytes())).decode(),
            "events": pack(list(self.events)[-MAX_SAVED_EVENTS:]),
            "events_seen": self.events_seen,
            "crossings": self.crossings.save(),
            "picture": base64.b64encode(self._saved_picture()).decode(),
            "most_objects": self._max_objects,
            "cells": list(self._cells.items()),
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Resume from what `save` gave; nothing if `saved` is empty.

        Raises:
            ValueError, KeyError, TypeError: not such values.
        """
        if saved:
            self._restore(saved["history"])

    def _restore(self, saved: Mapping[str, Any]) -> None:
        unpacker = zlib.decompressobj()
        heat = unpacker.decompress(base64.b64decode(saved["heat"]), self.heat.nbytes)
        self.heat = np.frombuffer(heat, np.uint32).reshape(self.heat.shape).copy()
        self.events.extend(unpack(saved["events"]))
        self.events_seen = int(saved["events_seen"])
        self.crossings.restore(saved["crossings"])
        self._jpeg = base64.b64decode(saved["picture"]) or None
        self._max_objects = int(saved["most_objects"])
        self._cells = {int(track): (int(x), int(y)) for track, (x, y) in saved["cells"]}


def _jpeg(image: Image, side: int = IMAGE_SIDE, quality: int = JPEG_QUALITY) -> bytes:
    from ..sources.opencv import load_cv2

    cv2 = load_cv2()
    scale = side / max(image.shape[:2])
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(data.tobytes())


def _smaller(jpeg: bytes) -> bytes:
    from ..sources.opencv import load_cv2

    cv2 = load_cv2()
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    for quality in (70, 50, 30):
        small = _jpeg(image, SAVED_IMAGE_SIDE, quality)
        if len(small) <= MAX_SAVED_IMAGE_BYTES:
            return small
    return _jpeg(image, SAVED_IMAGE_SIDE // 2, 50)
