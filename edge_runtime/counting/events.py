"""The event stream: one JSON document per line for each event, as it happens."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..types import Event
from .appended_file import AppendedFile
from .crops import CropFolder
from .period_totals import Period
from .saved_count import whole_number
from .sinks import FrameResult, Sink

STDOUT = Path("-")
SAVED = "events_bytes"


def event_record(event: Event, result: FrameResult) -> dict[str, Any]:
    """The JSON document of one event.

    `time_s` counts from the first frame, `time` is the wall clock in UTC if known, `x` and `y` are
    the anchor point in pixels, `age_s` is the time since the track's first detection, `dwell_s`
    the dwell time in the zone that was left.
    """
    totals, placed = result.totals, result.totals.region_of(event)
    return {
        "event": event.kind,
        "time_s": round(totals.since_start(event.timestamp_ns), 3),
        "time": wall_clock(event.timestamp_ns, result.epoch_ns),
        "track": event.track_id,
        "class": totals.class_names[event.class_id],
        "previous_class": (
            totals.class_names[event.previous_class_id] if event.previous_class_id >= 0 else None
        ),
        "place": None if placed is None else placed.name,
        "direction": None if placed is None else placed.region.direction(event.kind),
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


class EventStream:
    """Appends the events of each frame to a file, or to standard output for the path `-`.

    Each line is written whole and at once, so that a reader can follow the file. See `Sink`.

    Args:
        path: the file; a new count empties it, a resumed one continues it.
        crops: the folder whose images the events name.

    Raises:
        UsageError: in `restore`, where the folder of the file is missing.
        InputError: in `restore`, where the file cannot be written, or is shorter than it was.
    """

    def __init__(self, path: Path, *, crops: CropFolder | None = None) -> None:
        self._path = path
        self._crops = crops
        self._file: AppendedFile | None = None

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Open the file, cut to the length that it had when the count was saved."""
        if self._path != STDOUT:
            self._file = AppendedFile(self._path, whole_number(saved, SAVED))

    def frame(self, result: FrameResult) -> None:
        """Write the events of the frame."""
        for event in result.events:
            record = event_record(event, result)
            if self._crops is not None:
                record["crop"] = self._crops.name_of(result, event)
            self._write(record)

    def period(self, period: Period) -> None:
        """Write the totals of the period."""
        self._write({"event": "period", **period.as_dict()})

    def _write(self, record: dict[str, Any]) -> None:
        # ASCII, because not every terminal or pipe takes every name.
        line = json.dumps(record) + "\n"
        if self._file is not None:
            self._file.write(line)
        elif self._path == STDOUT:
            sys.stdout.write(line)
            sys.stdout.flush()

    def save(self) -> dict[str, Any]:
        """How many bytes of events are on the disk; 0 for standard output."""
        return {SAVED: 0 if self._file is None else self._file.sync()}

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def event_sinks(
    events: str | os.PathLike[str] | None, crops: str | os.PathLike[str] | None
) -> list[Sink]:
    """The sinks for a file of events and a folder of crops, as far as they are asked for."""
    folder = None if crops is None else CropFolder(Path(crops))
    # Crops first: an event names only an image that is there.
    sinks: list[Sink] = [] if folder is None else [folder]
    return sinks if events is None else [*sinks, EventStream(Path(events), crops=folder)]
