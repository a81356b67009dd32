"""Lines and zones as people write them: text, fractions or pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from ..errors import UsageError
from ..types import Line, Zone

MAX_COORDINATE = 1e6
MAX_CORNERS = 1000
DWELL = "dwell="
MAX_DWELL_S = 1e6
WAYS = ("in=", "out=")


def parse_line(text: str) -> Line:
    """`x1,y1,x2,y2[,name][,in=NAME][,out=NAME][,extend]` to a line.

    Raises:
        UsageError: not four numbers of a size that pixels have, both ends are one point, or the
            two ways have one name.
    """
    numbers, rest = _numbers_and_rest(text)
    if len(numbers) != 4:
        raise UsageError(
            f"the line {text!r} has {len(numbers)} coordinates",
            "Give four and perhaps a name: --line x1,y1,x2,y2,name",
        )
    ways = dict(part.split("=", 1) for part in rest if part.startswith(WAYS))
    name = ",".join(part for part in rest if part != "extend" and not part.startswith(WAYS))
    x1, y1, x2, y2 = numbers
    in_name, out_name = (ways.get(way, way).strip() for way in ("in", "out"))
    line = Line(x1, y1, x2, y2, name, in_name, out_name, extend="extend" in rest)
    check_line(line)
    return line


def parse_zone(text: str) -> Zone:
    """`x1,y1,x2,y2,x3,y3...[,name][,dwell=SECONDS]` to a zone of at least three corners.

    Raises:
        UsageError: not pairs of numbers of a size that pixels have, or a zone without an area.
    """
    numbers, rest = _numbers_and_rest(text)
    if len(numbers) < 6 or len(numbers) % 2:
        raise UsageError(
            f"the zone {text!r} has {len(numbers)} coordinates",
            "Give x and y of at least three corners: --zone x1,y1,x2,y2,x3,y3,name",
        )
    stays = [part for part in rest if part.startswith(DWELL)]
    zone = Zone(
        tuple(zip(numbers[::2], numbers[1::2], strict=True)),
        ",".join(part for part in rest if not part.startswith(DWELL)),
        _seconds(stays[-1].removeprefix(DWELL)) if stays else 0.0,
    )
    check_zone(zone)
    return zone


def _numbers_and_rest(text: str) -> tuple[list[float], list[str]]:
    parts = [part.strip() for part in text.split(",")]
    numbers: list[float] = []
    for index, part in enumerate(parts):
        try:
            numbers.append(float(part))
        except ValueError:
            return numbers, parts[index:]
    return numbers, []


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def check_line(line: Line) -> None:
    """Raise UsageError unless something could cross the line."""
    _check_coordinates((line.x1, line.y1, line.x2, line.y2))
    if (line.x1, line.y1) == (line.x2, line.y2):
        raise UsageError(
            f"the line from {line.x1:g},{line.y1:g} to itself has no length",
            "Give two different ends",
        )
    if not line.in_name or not line.out_name or line.in_name == line.out_name:
        raise UsageError(
            f"the two ways over a line are called {line.in_name!r} and {line.out_name!r}",
            "Give two different names, as in in=southbound,out=northbound",
        )


def check_zone(zone: Zone) -> None:
    """Raise UsageError unless something could be in the zone."""
    if not 3 <= len(zone.points) <= MAX_CORNERS:
        raise UsageError(
            f"a zone of {len(zone.points)} corners", f"Give 3 to {MAX_CORNERS} corners"
        )
    if not 0 <= zone.min_dwell_s <= MAX_DWELL_S:
        raise UsageError(
            f"the least stay in a zone is {zone.min_dwell_s:g} s", "Give seconds, as in dwell=5"
        )
    _check_coordinates([value for point in zone.points for value in point])
    (x0, y0), *others = zone.points
    ways = [(x - x0, y - y0) for x, y in others]
    reference = next((way for way in ways if any(way)), (0.0, 0.0))
    if all(dx * reference[1] == dy * reference[0] for dx, dy in ways):
        raise UsageError("the corners of a zone lie on one line", "Give corners around an area")


def _check_coordinates(values: Iterable[float]) -> None:
    for value in values:
        if not abs(value) <= MAX_COORDINATE:
            raise UsageError(
                f"{value:g} is no coordinate", "Give fractions from 0 to 1, or pixels of the frame"
            )


def in_pixels(
    points: Sequence[tuple[float, float]], frame_size: tuple[int, int]
) -> list[tuple[float, float]]:
    """The points in pixels of a (width, height) frame; they are fractions when all are <= 1."""
    if any(coordinate > 1 for point in points for coordinate in point):
        return list(points)
    width, height = frame_size
    return [(x * width, y * height) for x, y in points]
