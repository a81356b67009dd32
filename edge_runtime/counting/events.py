"""The event stream: who, what, when, where and which way, one JSON document a line."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from ..errors import InputError, UsageError
from ..types import Event, Image, Line

if TYPE_CHECKING:
    from .session import FrameResult
    from .totals import Totals

STDOUT = Path("-")
MARGIN = 0.1  # of the box, around a cropped picture
JPEG_QUALITY = 90


def event_record(event: Event, totals: Totals, epoch_ns: int | None) -> dict[str, Any]:
    """One event as the document of a line.

    `time_s` counts from the first frame, `time` is the wall clock in UTC where it is known,
    `x` and `y` are the anchor point in pixels, `age_s` is how long the track has lived, `dwell_s`
    how long it stayed in the zone that it left.
    """
    return {
        "event": event.kind,
        "time_s": round(totals.since_start(event.timestamp_ns), 3),
        "time": wall_clock(event.timestamp_ns, epoch_ns),
        "track": event.track_id,
        "class": totals.class_names[event.class_id],
        "previous_class": _name(totals, event.previous_class_id),
        "place": _place(event, totals),
        "direction": _direction(event, totals),
        "x": round(event.x, 1),
        "y": round(event.y, 1),
        "confidence": round(event.confidence, 3),
        "age_s": round(event.age_s, 3),
        "dwell_s": round(event.dwell_s, 3) if event.kind == "left" else None,
    }


def wall_clock(timestamp_ns: int, epoch_ns: int | None) -> str | None:
    """ISO 8601 in UTC with milliseconds; `epoch_ns` is the wall clock of timestamp 0."""
    if epoch_ns is None:
        return None
    moment = datetime.fromtimestamp((epoch_ns + timestamp_ns) / 1e9, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _name(totals: Totals, class_id: int) -> str | None:
    return totals.class_names[class_id] if class_id >= 0 else None


def _place(event: Event, totals: Totals) -> str | None:
    if event.kind.startswith("crossed"):
        return totals.line_names[event.place]
    if event.kind in ("entered", "left"):
        return totals.zone_names[event.place]
    return None


def _direction(event: Event, totals: Totals) -> str | None:
    if not event.kind.startswith("crossed"):
        return None
    return direction_name(event, totals.lines_given[event.place])


def direction_name(event: Event, line: Line) -> str:
    """The user's word for the way of a crossing."""
    return line.in_name if event.kind == "crossed_in" else line.out_name


class EventStream:
    """Appends the events of each frame to a file, or to standard output for the path `-`.

    Every line is written whole and at once, so that a reader can follow the file.

    Args:
        path: the file; emptied unless `resume_at` tells how many of its bytes are kept.
        crops: a folder for one JPEG an event, of the object as it was when the event was noticed.

    Raises:
        UsageError: the folder of the file is missing.
        InputError: it cannot be written, or holds less than `resume_at`.
    """

    def __init__(self, path: Path | None, *, crops: Path | None = None, resume_at: int = 0) -> None:
        self._crops = crops
        self._file: TextIO | None = None
        if crops is not None:
            _make_folder(crops)
        if path == STDOUT:
            self._file = sys.stdout
        elif path is not None:
            self._file = _open(path, resume_at)

    def add(self, counted: FrameResult, totals: Totals, epoch_ns: int | None) -> None:
        """Write the events that one frame brought."""
        for event in counted.events:
            record = event_record(event, totals, epoch_ns)
            if self._crops is not None:
                record["crop"] = self._crop(counted, event)
            self.write(record)

    def write(self, record: dict[str, Any]) -> None:
        """Write one line."""
        if self._file is not None:
            # ASCII, because not every terminal or pipe takes every name.
            self._file.write(json.dumps(record) + "\n")
            self._file.flush()

    def position(self) -> int:
        """Bytes in the file, all of them on the disk; 0 without a file of its own."""
        if self._file is None or self._file is sys.stdout:
            return 0
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def _crop(self, counted: FrameResult, event: Event) -> str | None:
        """Name of the picture; None where the object is not in this frame."""
        assert self._crops is not None
        rows = np.flatnonzero(counted.tracks.track_id == event.track_id)
        if not len(rows):
            return None
        picture = crop(counted.frame.image, counted.tracks.xyxy[rows[0]])
        if picture is None:
            return None
        name = f"{counted.frame.index:08d}-{event.track_id}-{event.kind}-{event.place + 1}.jpg"
        _write_jpeg(self._crops / name, picture)
        return name

    def __enter__(self) -> EventStream:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._file is not None and self._file is not sys.stdout:
            self._file.close()


def crop(image: Image, xyxy: np.ndarray[Any, Any]) -> Image | None:
    """The box with a margin, inside the frame; None where nothing of it is."""
    x1, y1, x2, y2 = (float(side) for side in xyxy)
    dx, dy = MARGIN * (x2 - x1), MARGIN * (y2 - y1)
    height, width = image.shape[:2]
    left, right = max(0, round(x1 - dx)), min(width, round(x2 + dx))
    top, bottom = max(0, round(y1 - dy)), min(height, round(y2 + dy))
    return image[top:bottom, left:right] if left < right and top < bottom else None


def _write_jpeg(path: Path, picture: Image) -> None:
    from ..sources.opencv import load_cv2

    cv2 = load_cv2()
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    partial = path.with_suffix(".part")
    partial.write_bytes(data.tobytes())
    partial.replace(path)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            folder, error.strerror or "cannot be made", "Give a folder that you can write to"
        ) from error


def _open(path: Path, resume_at: int) -> TextIO:
    if not path.resolve().parent.is_dir():
        raise UsageError(f"the folder of {path} does not exist", "Make it first")
    try:
        with path.open("ab") as file:
            if file.tell() < resume_at:
                raise InputError(
                    path,
                    f"it should hold {resume_at} bytes of events, but has {file.tell()}",
                    "Restore it, or start anew without the state file",
                )
            file.truncate(resume_at)
        return path.open("a", encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(
            path, error.strerror or "cannot be written", "Choose a file that you can write to"
        ) from error
