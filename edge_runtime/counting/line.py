"""Counting lines: objects that cross them are counted in each direction."""

from __future__ import annotations

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
    split_numbers,
)

DIRECTIONS = ("in=", "out=")


@dataclass(frozen=True)
class Line:
    """A counting line from (x1, y1) to (x2, y2), pixels or, when all are <= 1, fractions.

    `in` is the direction from left to right when facing from start to end, y down: a line drawn
    from left to right counts downward movement as `in`.

    Example:
        >>> from tallylens import Line
        >>> Line(0, 0.6, 1, 0.6, "road", in_name="southbound", out_name="northbound").check()

    Attributes:
        name: name in reports; empty for `line 1`, `line 2`, ...
        in_name: name of the direction `in` in reports and events.
        out_name: name of the direction `out`.
        extend: also count crossings beyond the ends of the line.
    """

    kind: ClassVar[str] = "line"
    plural: ClassVar[str] = "lines"
    shape: ClassVar[Shape] = "segment"
    event_kinds: ClassVar[tuple[str, ...]] = ("crossed_in", "crossed_out")

    x1: float
    y1: float
    x2: float
    y2: float
    name: str = ""
    in_name: str = "in"
    out_name: str = "out"
    extend: bool = False

    @classmethod
    def parse(cls, text: str) -> Line:
        """The line that `x1,y1,x2,y2[,name][,in=NAME][,out=NAME][,extend]` describes.

        Raises:
            UsageError: not four numbers, or a line that cannot be crossed.
        """
        numbers, rest = split_numbers(text)
        if len(numbers) != 4:
            raise UsageError(
                f"--line {text!r}: expected 4 coordinates, got {len(numbers)}",
                "Use x1,y1,x2,y2[,name]",
            )
        named = dict(part.split("=", 1) for part in rest if part.startswith(DIRECTIONS))
        name = ",".join(part for part in rest if part != "extend" and not _is_direction(part))
        x1, y1, x2, y2 = numbers
        in_name, out_name = (named.get(key, key).strip() for key in ("in", "out"))
        line = cls(x1, y1, x2, y2, name, in_name, out_name, extend="extend" in rest)
        line.check()
        return line

    def check(self) -> None:
        """Raise UsageError if the line cannot be crossed, or its directions have one name."""
        check_coordinates(self._ends)
        check_units(self._ends)
        if self._ends[0] == self._ends[1]:
            raise UsageError(
                f"the line from {self.x1:g},{self.y1:g} to itself has no length",
                "Use two different ends",
            )
        if not self.in_name or not self.out_name or self.in_name == self.out_name:
            raise UsageError(
                f"the directions of a line are named {self.in_name!r} and {self.out_name!r}",
                "Use two different names, as in in=southbound,out=northbound",
            )

    @property
    def _ends(self) -> tuple[Point, Point]:
        return (self.x1, self.y1), (self.x2, self.y2)

    def to_pixels(self, frame_size: tuple[int, int]) -> tuple[Point, ...]:
        """Both ends in pixels of a (width, height) frame."""
        return in_pixels(self._ends, frame_size)

    def parameters(self) -> dict[str, float]:
        """The core's parameters beside the ends."""
        return {"extend": self.extend}

    def direction(self, event_kind: str) -> str | None:
        """The name of the direction of a crossing, None for other events."""
        return {"crossed_in": self.in_name, "crossed_out": self.out_name}.get(event_kind)

    def report(
        self, name: str, counts: Mapping[str, ClassCounts], values: Mapping[str, float]
    ) -> LineReport:
        """The report of the core's totals `in` and `out`; `values` has no part in it."""
        del values
        return LineReport(name, counts["in"], counts["out"], self.in_name, self.out_name)

    @classmethod
    def read_report(cls, document: Mapping[str, Any]) -> LineReport:
        """The report whose `as_dict` gave `document`."""
        return LineReport.from_dict(document)

    def explain_zero(self, other_classes: str, values: Mapping[str, float]) -> str:
        """Why nothing was counted: `nearest` is the closest object's distance in pixels, or -1."""
        if other_classes:
            return f"no crossings by the chosen classes, but by {other_classes}"
        if values["nearest"] < 0:
            return "no crossings; no object was tracked near it"
        return f"no crossings; the closest object came within {values['nearest']:.0f} px"


def _is_direction(part: str) -> bool:
    return part.startswith(DIRECTIONS)


@dataclass(frozen=True)
class LineReport:
    """Crossings of one line by class, in each direction.

    Attributes:
        crossed_in: crossings from the line's left-hand to its right-hand side.
        crossed_out: crossings the other way.
        in_name, out_name: the user's names of the two directions.
    """

    kind: ClassVar[str] = Line.kind

    name: str
    crossed_in: ClassCounts
    crossed_out: ClassCounts
    in_name: str = "in"
    out_name: str = "out"

    def counts(self) -> dict[str, ClassCounts]:
        """The crossings by the name of their direction, `in` first."""
        return {self.in_name: self.crossed_in, self.out_name: self.crossed_out}

    def durations_s(self) -> dict[str, float]:
        """None: crossings take no time."""
        return {}

    def as_dict(self) -> dict[str, Any]:
        """The line's part of the report document."""
        return {
            "name": self.name,
            "in": self.crossed_in,
            "out": self.crossed_out,
            "directions": {"in": self.in_name, "out": self.out_name},
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> LineReport:
        """The report whose `as_dict` gave `document`.

        Raises:
            KeyError, TypeError: not such a document.
        """
        names = document["directions"]
        return cls(document["name"], document["in"], document["out"], names["in"], names["out"])
