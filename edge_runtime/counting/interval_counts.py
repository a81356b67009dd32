"""Counts by interval: a CSV file with the numbers of each 15 minutes, for example, as they end."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..text import inert
from .appended_file import AppendedFile
from .events import wall_clock
from .period_totals import Period
from .region import ClassCounts, RegionReport
from .saved_count import whole_number
from .sinks import FrameResult

Key = tuple[str, str, str, str]
COLUMNS = ("start", "end", "where", "name", "direction", "class", "count")
SAVED = "intervals"


class IntervalCounts:
    """Appends the rows of an interval when it has ended; see `FinishingSink`.

    The rows of a number add up to that of the report. An object whose class changes late counts -1
    in its previous class. Intervals follow the wall clock where it is known, and are else seconds
    from the first frame; one without frames has no rows.

    Args:
        path: the file; a new count empties it, a resumed one continues it.
        interval_s: length of an interval.
    """

    def __init__(self, path: Path, interval_s: int) -> None:
        self._path, self._interval_s = path, interval_s
        self._file: AppendedFile | None = None
        self._number: int | None = None
        self._clock = False
        self._before: dict[Key, int] = {}
        self._now: dict[Key, int] = {}
        self._stale = True

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Open the file, cut to the length that it had when the count was saved."""
        own = saved.get(SAVED, {})
        length = whole_number(own, "bytes")
        self._before = {_key(row): int(row[4]) for row in own.get("before", ())}
        self._now = {_key(row): int(row[4]) for row in own.get("now", ())}
        self._number, self._clock = own.get("number"), bool(own.get("clock"))
        self._file = AppendedFile(self._path, length)
        if not length:
            self._write([COLUMNS])

    def frame(self, result: FrameResult) -> None:
        """Write the interval that has ended before this frame."""
        since_start = result.totals.since_start(result.frame.timestamp_ns)
        time_s = since_start
        if result.epoch_ns is not None:
            time_s = (result.epoch_ns + result.frame.timestamp_ns) / 1e9
        self._clock = result.epoch_ns is not None
        number = int(time_s // self._interval_s)
        if self._number is not None and number != self._number:
            self._write(self._rows())
            self._before = self._now
        self._number = number
        if result.events or self._stale:
            self._now, self._stale = (
                _numbers(result.totals.unique(), result.totals.regions()),
                False,
            )

    def period(self, period: Period) -> None:
        """The totals restart: what the period has counted remains in this interval."""
        closed = _numbers(period.unique, period.regions)
        keys = self._before.keys() | closed.keys()
        self._before = {key: self._before.get(key, 0) - closed.get(key, 0) for key in keys}
        self._now, self._stale = {}, True

    def save(self) -> dict[str, Any]:
        """The length of the file and the numbers at the start of the interval."""
        if self._file is None:
            return {}
        return {
            SAVED: {
                "bytes": self._file.sync(),
                "number": self._number,
                "clock": self._clock,
                "before": [[*key, number] for key, number in self._before.items()],
                "now": [[*key, number] for key, number in self._now.items()],
            }
        }

    def finish(self) -> list[str]:
        """Write the last interval, which is not complete."""
        self._write(self._rows())
        self._before = self._now
        return []

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _write(self, rows: Iterable[tuple[str | int, ...]]) -> None:
        if self._file is not None:
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(rows)
            self._file.write(text.getvalue())

    def _rows(self) -> list[tuple[str | int, ...]]:
        if self._number is None:
            return []
        start, end = self._number * self._interval_s, (self._number + 1) * self._interval_s
        times = (_time(start, self._clock), _time(end, self._clock))
        keys = list(dict.fromkeys([*self._now, *self._before]))
        return [
            (
                *times,
                *(inert(one) for one in key),
                self._now.get(key, 0) - self._before.get(key, 0),
            )
            for key in keys
        ]


def _numbers(unique: ClassCounts, regions: Iterable[RegionReport]) -> dict[Key, int]:
    found = {("unique", "", "", name): number for name, number in unique.items()}
    for region in regions:
        for title, counts in region.counts().items():
            if title != "now":
                for name, number in counts.items():
                    found[region.kind, region.name, title, name] = number
    return found


def _key(row: list[Any]) -> Key:
    where, name, direction, label = (str(one) for one in row[:4])
    return where, name, direction, label


def _time(seconds: int, clock: bool) -> str:
    return (wall_clock(seconds * 1_000_000_000, 0) or "") if clock else str(seconds)
