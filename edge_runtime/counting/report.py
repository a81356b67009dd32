"""What a count found: the document that scripts read, and its CSV form."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..text import printable

if TYPE_CHECKING:
    from .history import History

ClassCounts = dict[str, int]
Point = tuple[float, float]


@dataclass(frozen=True)
class LineReport:
    """Crossings of one line by class; `in` is from its left-hand to its right-hand side.

    `in_name` and `out_name` are the user's words for the two ways.
    """

    name: str
    crossed_in: ClassCounts
    crossed_out: ClassCounts
    in_name: str = "in"
    out_name: str = "out"

    def as_dict(self) -> dict[str, Any]:
        """Its part of the document of `count --json`."""
        return {
            "name": self.name,
            "in": self.crossed_in,
            "out": self.crossed_out,
            "directions": {"in": self.in_name, "out": self.out_name},
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> LineReport:
        """What `as_dict` gave."""
        ways = document["directions"]
        return cls(document["name"], document["in"], document["out"], ways["in"], ways["out"])


@dataclass(frozen=True)
class ZoneReport:
    """Objects in one zone by class: now and in all, and their stays in seconds."""

    name: str
    now: ClassCounts
    entered: ClassCounts
    mean_dwell_s: float
    max_dwell_s: float

    def as_dict(self) -> dict[str, Any]:
        """Its part of the document of `count --json`."""
        return {
            "name": self.name,
            "now": self.now,
            "entered": self.entered,
            "dwell_s": {"mean": round(self.mean_dwell_s, 3), "max": round(self.max_dwell_s, 3)},
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> ZoneReport:
        """What `as_dict` gave."""
        stays = document["dwell_s"]
        return cls(
            document["name"], document["now"], document["entered"], stays["mean"], stays["max"]
        )


@dataclass(frozen=True)
class Speed:
    """Frames a second over the whole run; milliseconds a frame of one worker.

    Inference is by the clock, the work around it in processor time (see `Timing`).
    """

    fps: float
    inference_ms: float
    host_ms: float

    def as_dict(self) -> dict[str, float]:
        """Its part of the document of `count --json`."""
        return {name: round(value, 3) for name, value in vars(self).items()}


@dataclass(frozen=True)
class PeriodTotals:
    """The totals of one stretch of time."""

    unique: ClassCounts
    lines: tuple[LineReport, ...]
    zones: tuple[ZoneReport, ...]

    def as_dict(self) -> dict[str, Any]:
        """Its part of the document of `count --json`."""
        return {
            "unique": self.unique,
            "lines": [line.as_dict() for line in self.lines],
            "zones": [zone.as_dict() for zone in self.zones],
        }


@dataclass(frozen=True)
class Period(PeriodTotals):
    """A period that a scheduled reset has closed; `start` and `end` are ISO 8601 in UTC."""

    start: str
    end: str

    def as_dict(self) -> dict[str, Any]:
        """Its part of the document of `count --json`."""
        return {"start": self.start, "end": self.end, **super().as_dict()}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Period:
        """What `as_dict` gave.

        Raises:
            KeyError, TypeError: something else.
        """
        return cls(
            unique=dict(document["unique"]),
            lines=tuple(LineReport.from_dict(line) for line in document["lines"]),
            zones=tuple(ZoneReport.from_dict(zone) for zone in document["zones"]),
            start=str(document["start"]),
            end=str(document["end"]),
        )


@dataclass(frozen=True)
class RegionOutlines:
    """Where was counted, for pictures: ends of lines and corners of zones in pixels."""

    line_ends: tuple[tuple[Point, Point], ...] = ()
    zone_corners: tuple[tuple[Point, ...], ...] = ()

    @classmethod
    def of(
        cls, lines: Iterable[Sequence[Point]], zones: Iterable[Sequence[Point]]
    ) -> RegionOutlines:
        """The same from lists."""
        return cls(
            tuple((start, end) for start, end in lines), tuple(tuple(zone) for zone in zones)
        )


@dataclass(frozen=True)
class Report:
    """The result of a count.

    `seconds` is the length of what was watched, by capture time. `occupancy` holds, for each
    second with objects in view, the second's start and the most objects of each class seen at
    once. `interrupted` tells that the source was not read to its end.

    `started` is the wall clock of the first frame (ISO 8601 in UTC, None where unknown). `dropped`
    live frames came while an earlier one was worked on, `skipped` ones were left out to keep a rate
    or budget. `periods` are those that scheduled resets have closed: all totals then begin with the
    last reset. `uncounted` tells what was detected and never counted. `scene` and `history` hold
    what only the HTML report shows. `offload` is what was asked of the cloud and why, where there
    was one.
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
    scene: RegionOutlines = field(default=RegionOutlines(), repr=False, compare=False)
    history: History | None = field(default=None, repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """The document of `count --json`."""
        return {
            "source": self.source,
            "model": self.model,
            "engine": self.engine,
            "frames": self.frames,
            "seconds": round(self.seconds, 3),
            "unique": self.unique,
            "lines": [line.as_dict() for line in self.lines],
            "zones": [zone.as_dict() for zone in self.zones],
            "occupancy": [[time_s, counts] for time_s, counts in self.occupancy],
            "warnings": list(self.warnings),
            "speed": self.speed.as_dict(),
            "interrupted": self.interrupted,
            "started": self.started,
            "dropped": self.dropped,
            "skipped": self.skipped,
            "uncounted": dict(self.uncounted),
            "periods": [period.as_dict() for period in self.periods],
            **({} if self.offload is None else {"offload": dict(self.offload)}),
        }

    def to_json(self) -> str:
        """The document as text."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n"

    def to_csv(self) -> str:
        """One row a number: `where,name,direction,class,count`."""
        out = io.StringIO()
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(("where", "name", "direction", "class", "count"))
        for where, name, direction, counts in self._tables():
            rows.writerows(
                (where, _inert(name), _inert(direction), _inert(label), number)
                for label, number in counts.items()
            )
        return out.getvalue()

    def to_jsonl(self) -> str:
        """The rows of the CSV, one JSON document a line."""
        rows = (
            {"where": where, "name": name, "direction": direction, "class": label, "count": number}
            for where, name, direction, counts in self._tables()
            for label, number in counts.items()
        )
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

    def _tables(self) -> list[tuple[str, str, str, Mapping[str, int]]]:
        tables: list[tuple[str, str, str, Mapping[str, int]]] = [("unique", "", "", self.unique)]
        for line in self.lines:
            tables.append(("line", line.name, line.in_name, line.crossed_in))
            tables.append(("line", line.name, line.out_name, line.crossed_out))
        for zone in self.zones:
            tables.append(("zone", zone.name, "now", zone.now))
            tables.append(("zone", zone.name, "entered", zone.entered))
        return tables


def _inert(text: str) -> str:
    """Class names come from model files: a spreadsheet must not take one for a formula or a row."""
    shown = printable(text)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown
