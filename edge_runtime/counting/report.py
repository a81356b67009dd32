"""The report of a count: totals, the JSON document that scripts read, and its CSV form."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..text import inert
from .period_totals import Period
from .region import ClassCounts, Point, RegionReport
from .regions import LineReport, ZoneReport, reports_as_dict

if TYPE_CHECKING:
    from .history import History

__all__ = ["ClassCounts", "LineReport", "Report", "Speed", "ZoneReport"]

Table = tuple[str, str, str, Mapping[str, int]]


@dataclass(frozen=True)
class Speed:
    """Throughput of a run: frames per second, and milliseconds per frame of one worker.

    Inference is measured by the clock, pre- and postprocessing (`host_ms`) in processor time; see
    `Timing`.
    """

    fps: float
    inference_ms: float
    host_ms: float

    def as_dict(self) -> dict[str, float]:
        """The speed's part of the report document."""
        return {name: round(value, 3) for name, value in vars(self).items()}


@dataclass(frozen=True)
class Report:
    """The result of a count.

    Example:
        >>> import numpy as np
        >>> from tallylens import Counter, Line
        >>> black = np.zeros((360, 640, 3), np.uint8)
        >>> with Counter("demo", lines=[Line(0, 0.6, 1, 0.6, "road")]) as counter:
        ...     report = counter.run([(0, black), (40_000_000, black)])
        >>> report.unique, report.lines[0].name, report.lines[0].crossed_in
        ({}, 'road', {})
        >>> report.warnings
        ('no detections in any frame; is this the right model for the scene?',)

    Attributes:
        seconds: capture time from the first frame to the last.
        unique: different objects by class.
        unique_range: minimum and maximum of `unique`, of the classes where objects that appeared
            could be those that were lost nearby shortly before.
        lines, zones, others: totals of each region; `others` are of kinds without a field.
        occupancy: for each second with objects in view, its start and the maximum number of
            objects of each class at once.
        warnings: notes for the user, such as why a total is zero.
        interrupted: the source was not read to its end.
        started: wall clock of the first frame (ISO 8601 in UTC), None if unknown.
        dropped: live frames that arrived while an earlier one was processed.
        skipped: frames that rate control left out.
        periods: closed by scheduled resets; all totals then begin with the last reset.
        uncounted: what was detected and never counted, and why.
        offload: what was asked of the cloud and why, None without one.
        filters: ignored zones, and minimum and maximum size of detections, in pixels.
        outlines: points in pixels of each region, in the order of `regions`; for images.
        history: paths, recent events and a frame; for the HTML report.
    """

    source: str
    model: str
    engine: str
    frames: int
    seconds: float
    unique: ClassCounts
    lines: tuple[LineReport, ...]
    zones: tuple[ZoneReport, ...]
    occupancy: tuple[tuple[float, ClassCounts], ...]
    warnings: tuple[str, ...]
    speed: Speed
    interrupted: bool = field(default=False)
    started: str | None = field(default=None)
    dropped: int = field(default=0)
    skipped: int = field(default=0)
    periods: tuple[Period, ...] = field(default=())
    uncounted: Mapping[str, Any] = field(default_factory=dict)
    offload: Mapping[str, Any] | None = None
    others: tuple[RegionReport, ...] = ()
    unique_range: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    filters: Mapping[str, Any] = field(default_factory=dict)
    outlines: tuple[tuple[Point, ...], ...] = field(default=(), repr=False, compare=False)
    history: History | None = field(default=None, repr=False, compare=False)

    @property
    def regions(self) -> tuple[RegionReport, ...]:
        """The totals of all regions, in the order of `REGIONS`."""
        return (*self.lines, *self.zones, *self.others)

    def doubts(self) -> list[str]:
        """Sentences about the totals of `unique_range`, for people."""
        return [
            f"{name}: {low} to {high} unique objects; some may have been lost and counted again"
            for name, (low, high) in self.unique_range.items()
        ]

    def as_dict(self) -> dict[str, Any]:
        """The document that `tallylens count --json` prints."""
        ranges = {name: list(ends) for name, ends in self.unique_range.items()}
        return {
            "source": self.source,
            "model": self.model,
            "engine": self.engine,
            "frames": self.frames,
            "seconds": round(self.seconds, 3),
            "unique": self.unique,
            **reports_as_dict(self.regions),
            "occupancy": [[time_s, counts] for time_s, counts in self.occupancy],
            "warnings": list(self.warnings),
            "speed": self.speed.as_dict(),
            "interrupted": self.interrupted,
            "started": self.started,
            "dropped": self.dropped,
            "skipped": self.skipped,
            "uncounted": dict(self.uncounted),
            "periods": [period.as_dict() for period in self.periods],
            **({"unique_range": ranges} if ranges else {}),
            **({"filters": dict(self.filters)} if self.filters else {}),
            **({} if self.offload is None else {"offload": dict(self.offload)}),
        }

    def to_json(self) -> str:
        """The report document as JSON text."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n"

    def to_csv(self) -> str:
        """One row per number: `where,name,direction,class,count`."""
        out = io.StringIO()
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(("where", "name", "direction", "class", "count"))
        for where, name, direction, counts in self._tables():
            rows.writerows(
                (where, inert(name), inert(direction), inert(label), number)
                for label, number in counts.items()
            )
        return out.getvalue()

    def to_jsonl(self) -> str:
        """The rows of the CSV, one JSON document per line."""
        rows = (
            {"where": where, "name": name, "direction": direction, "class": label, "count": number}
            for where, name, direction, counts in self._tables()
            for label, number in counts.items()
        )
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

    def _tables(self) -> list[Table]:
        """Each total: kind and name of the region, title, numbers by class."""
        tables: list[Table] = [("unique", "", "", self.unique)]
        for region in self.regions:
            for title, counts in region.counts().items():
                tables.append((region.kind, region.name, title, counts))
        return tables
