"""The interface of every kind of region (a line, a zone), and helpers that they share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Protocol, Self

from ..errors import UsageError

MAX_COORDINATE = 1e6

Point = tuple[float, float]
ClassCounts = dict[str, int]
"""Numbers of objects by class name."""

Shape = Literal["segment", "polygon"]
"""How a region is drawn: a segment with an arrow, or a closed outline."""


class RegionReport(Protocol):
    """The totals of one region, as reports show them."""

    kind: ClassVar[str]

    @property
    def name(self) -> str:
        """The user's name of the region, or `line 1`, `zone 2`, ..."""
        ...

    def counts(self) -> Mapping[str, ClassCounts]:
        """Each total by its title, such as `in` or `entered`."""
        ...

    def durations_s(self) -> Mapping[str, float]:
        """Each duration in seconds by its title; empty for a region without any."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """The region's part of the report document."""
        ...


class Region(Protocol):
    """A counting rule: where something is counted, and how its totals are reported.

    To add one, write a class with these members and add it to `regions.REGIONS`.

    Attributes:
        kind: the word for it, in CSV reports, default names and the core.
        plural: the key of its reports in a report document.
        shape: how it is drawn.
        event_kinds: the events that belong to regions of this kind.
    """

    kind: ClassVar[str]
    plural: ClassVar[str]
    shape: ClassVar[Shape]
    event_kinds: ClassVar[tuple[str, ...]]

    @property
    def name(self) -> str:
        """The user's name, empty where none was given."""
        ...

    @classmethod
    def parse(cls, text: str) -> Self:
        """The region that a command-line argument describes; raises UsageError."""
        ...

    def check(self) -> None:
        """Raise UsageError if nothing could ever be counted."""
        ...

    def to_pixels(self, frame_size: tuple[int, int]) -> tuple[Point, ...]:
        """Its points in pixels of a (width, height) frame."""
        ...

    def parameters(self) -> dict[str, float]:
        """The core's parameters beside the points."""
        ...

    def direction(self, event_kind: str) -> str | None:
        """The user's name of the direction of an event, None for events without one."""
        ...

    def report(
        self, name: str, counts: Mapping[str, ClassCounts], values: Mapping[str, float]
    ) -> RegionReport:
        """The report of the core's totals (`counts`, by class name) and other `values`."""
        ...

    @classmethod
    def read_report(cls, document: Mapping[str, Any]) -> RegionReport:
        """The report whose `as_dict` gave `document`; raises KeyError, TypeError."""
        ...

    def explain_zero(self, other_classes: str, values: Mapping[str, float]) -> str:
        """Why nothing was counted; `other_classes` are totals of classes not asked for."""
        ...


def split_numbers(text: str) -> tuple[list[float], list[str]]:
    """The numbers at the start of a comma-separated text, and the parts after them."""
    parts = [part.strip() for part in text.split(",")]
    numbers: list[float] = []
    for index, part in enumerate(parts):
        try:
            numbers.append(float(part))
        except ValueError:
            return numbers, parts[index:]
    return numbers, []


def check_coordinates(points: Iterable[Point]) -> None:
    """Raise UsageError for a coordinate that no frame has."""
    for point in points:
        for value in point:
            if not abs(value) <= MAX_COORDINATE:
                raise UsageError(
                    f"invalid coordinate {value:g}",
                    "Use fractions from 0 to 1, or pixels of the frame",
                )


def check_units(points: Sequence[Point]) -> None:
    """Raise UsageError for points that mix fractions of the frame with pixels."""
    values = [value for point in points for value in point]
    pixels = next((value for value in values if value > 1), None)
    fraction = next((value for value in values if 0 < value < 1), None)
    for along in zip(*points, strict=True):
        # From 0 to 1 is the whole frame as fractions, and one pixel otherwise.
        if fraction is None and len(set(along)) > 1 and all(0 <= value <= 1 for value in along):
            fraction = max(along)
    if fraction is not None and pixels is not None:
        raise UsageError(
            f"the coordinates {fraction:g} and {pixels:g} mix fractions with pixels",
            "Use fractions from 0 to 1 for all points of a region, or pixels for all",
        )


def sides_cross(corners: Sequence[Point]) -> bool:
    """Whether two sides of a polygon cross; sides that only touch do not."""
    sides = list(zip(corners, (*corners[1:], corners[0]), strict=True))
    return any(
        _side_of(a, b, c) * _side_of(a, b, d) < 0 and _side_of(c, d, a) * _side_of(c, d, b) < 0
        for index, (a, b) in enumerate(sides)
        for c, d in sides[index + 1 :]
    )


def _side_of(start: Point, end: Point, point: Point) -> float:
    """Above 0, below 0 or 0: on which side of the line from `start` to `end` the point is."""
    (x0, y0), (x1, y1), (x, y) = start, end, point
    cross = (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)
    return (cross > 0) - (cross < 0)


def check_in_frame(name: str, points: Sequence[Point], frame_size: tuple[int, int]) -> None:
    """Raise UsageError for a region whose points are all beyond one border of the frame."""
    for axis, size in enumerate(frame_size):
        values = [point[axis] for point in points]
        if max(values) < 0 or min(values) > size:
            width, height = frame_size
            raise UsageError(
                f"{name} is outside the frame, which has {width}x{height} pixels",
                "Use x,y from the upper left corner: fractions from 0 to 1, or pixels",
            )


def in_pixels(points: Sequence[Point], frame_size: tuple[int, int]) -> tuple[Point, ...]:
    """The points in pixels of a (width, height) frame; they are fractions when all are <= 1."""
    if any(coordinate > 1 for point in points for coordinate in point):
        return tuple(points)
    width, height = frame_size
    return tuple((x * width, y * height) for x, y in points)
