"""What a count found: the document that scripts read, and its CSV form."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tallylens.text import printable

ClassCounts = dict[str, int]


@dataclass(frozen=True)
class LineReport:
    """Crossings of one line by class; `in` is from its left-hand to its right-hand side."""

    name: str
    crossed_in: ClassCounts
    crossed_out: ClassCounts

    def as_dict(self) -> dict[str, Any]:
        """Its part of the document of `count --json`."""
        return {"name": self.name, "in": self.crossed_in, "out": self.crossed_out}


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
class Report:
    """The result of a count.

    `seconds` is the length of what was watched, by capture time. `occupancy` holds, for each
    second with objects in view, the second's start and the most objects of each class seen at
    once. `interrupted` tells that the source was not read to its end. `offload` is what was asked
    of the cloud and why, where there was one.
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
    offload: Mapping[str, Any] | None = None

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
                (where, _inert(name), direction, _inert(label), number)
                for label, number in counts.items()
            )
        return out.getvalue()

    def _tables(self) -> list[tuple[str, str, str, Mapping[str, int]]]:
        tables: list[tuple[str, str, str, Mapping[str, int]]] = [("unique", "", "", self.unique)]
        for line in self.lines:
            tables.append(("line", line.name, "in", line.crossed_in))
            tables.append(("line", line.name, "out", line.crossed_out))
        for zone in self.zones:
            tables.append(("zone", zone.name, "now", zone.now))
            tables.append(("zone", zone.name, "entered", zone.entered))
        return tables


def _inert(text: str) -> str:
    """Class names come from model files: a spreadsheet must not take one for a formula or a row."""
    shown = printable(text)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown
