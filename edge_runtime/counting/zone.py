"""Counting zones: objects that enter them, are in them and leave them, and for how long."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..errors import UsageError
from .region import (
    ClassCounts,
    Point,
    Shape,
    check_coordinates,
    check_units,
    in_pixels,
    sides_cross,
    split_numbers,
)

MAX_CORNERS = 1000
MAX_DWELL_S = 1e6
DWELL = "dwell="


@dataclass(frozen=True)
class Zone:
    """A polygon of at least three (x, y) corners, pixels or, when all are <= 1, fractions.

    Example:
        >>> from tallylens import Zone
        >>> Zone(((0.1, 0.5), (0.6, 0.5), (0.6, 1), (0.1, 1)), "queue", min_dwell_s=5).check()

    Attributes:
        points: the corners, in order.
        name: name in reports; empty for `zone 1`, `zone 2`, ...
        min_dwell_s: minimum dwell time; shorter visits are not counted as entered.
    """

    kind: ClassVar[str] = "zone"
    plural: ClassVar[str] = "zones"
    shape: ClassVar[Shape] = "polygon"
    event_kinds: ClassVar[tuple[str, ...]] = ("entered", "left")

    points: tuple[Point, ...]
    name: str = ""
    min_dwell_s: float = 0.0

    @classmethod
    def parse(cls, text: str, option: str = "--zone") -> Zone:
        """The zone that `x1,y1,x2,y2,x3,y3...[,name][,dwell=SECONDS]` describes.

        Args:
            text: value of the option.
            option: its name in messages.

        Raises:
            UsageError: not pairs of numbers, or a zone without an area.
        """
        numbers, rest = split_numbers(text)
        if len(numbers) < 6 or len(numbers) % 2:
            raise UsageError(
                f"{option} {text!r}: expected x,y of at least 3 corners, "
                f"got {len(numbers)} numbers",
                "Use x1,y1,x2,y2,x3,y3[,...][,name]",
            )
        dwells = [part for part in rest if part.startswith(DWELL)]
        zone = cls(
            tuple(zip(numbers[::2], numbers[1::2], strict=True)),
            ",".join(part for part in rest if not part.startswith(DWELL)),
            _seconds(dwells[-1].removeprefix(DWELL)) if dwells else 0.0,
        )
        zone.check()
        return zone

    def check(self) -> None:
        """Raise UsageError if nothing could be in the zone."""
        if not 3 <= len(self.points) <= MAX_CORNERS:
            raise UsageError(
                f"a zone has {len(self.points)} corners", f"Use 3 to {MAX_CORNERS} corners"
            )
        if not 0 <= self.min_dwell_s <= MAX_DWELL_S:
            raise UsageError(
                f"the minimum dwell time of a zone is {self.min_dwell_s:g} s",
                "Use seconds, as in dwell=5",
            )
        check_coordinates(self.points)
        check_units(self.points)
        (x0, y0), *others = self.points
        offsets = [(x - x0, y - y0) for x, y in others]
        reference = next((offset for offset in offsets if any(offset)), (0.0, 0.0))
        if all(dx * reference[1] == dy * reference[0] for dx, dy in offsets):
            raise UsageError("the corners of a zone are collinear", "Use corners around an area")
        if sides_cross(self.points):
            raise UsageError(
                "the sides of a zone cross", "Give its corners in their order around the area"
            )

    def to_pixels(self, frame_size: tuple[int, int]) -> tuple[Point, ...]:
        """The corners in pixels of a (width, height) frame."""
        return in_pixels(self.points, frame_size)

    def parameters(self) -> dict[str, float]:
        """The core's parameters beside the corners."""
        return {"min_dwell_s": self.min_dwell_s}

    def direction(self, event_kind: str) -> str | None:
        """None: a zone is entered and left from any side."""
        del event_kind
        return None

    def report(
        self, name: str, counts: Mapping[str, ClassCounts], values: Mapping[str, float]
    ) -> ZoneReport:
        """The report of the core's totals `now` and `entered`, and of dwell times."""
        return ZoneReport(
            name, counts["now"], counts["entered"], values["mean_dwell_s"], values["max_dwell_s"]
        )

    @classmethod
    def read_report(cls, document: Mapping[str, Any]) -> ZoneReport:
        """The report whose `as_dict` gave `document`."""
        return ZoneReport.from_dict(document)

    def explain_zero(self, other_classes: str, values: Mapping[str, float]) -> str:
        """Why nothing was counted."""
        del values
        if other_classes:
            return f"no entries by the chosen classes, but by {other_classes}"
        return "no entries; no object was in it"


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


@dataclass(frozen=True)
class ZoneReport:
    """Objects in one zone by class, and their dwell times.

    Attributes:
        now: objects in the zone at the end.
        entered: objects that have entered it.
        mean_dwell_s, max_dwell_s: dwell times in seconds.
    """

    kind: ClassVar[str] = Zone.kind

    name: str
    now: ClassCounts
    entered: ClassCounts
    mean_dwell_s: float
    max_dwell_s: float

    def counts(self) -> dict[str, ClassCounts]:
        """The objects that are in the zone, and that have entered it."""
        return {"now": self.now, "entered": self.entered}

    def durations_s(self) -> dict[str, float]:
        """Dwell times in seconds."""
        return {"mean dwell time": self.mean_dwell_s, "maximum dwell time": self.max_dwell_s}

    def as_dict(self) -> dict[str, Any]:
        """The zone's part of the report document."""
        return {
            "name": self.name,
            "now": self.now,
            "entered": self.entered,
            "dwell_s": {"mean": round(self.mean_dwell_s, 3), "max": round(self.max_dwell_s, 3)},
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> ZoneReport:
        """The report whose `as_dict` gave `document`.

        Raises:
            KeyError, TypeError: not such a document.
        """
        dwell = document["dwell_s"]
        return cls(
            document["name"], document["now"], document["entered"], dwell["mean"], dwell["max"]
        )
