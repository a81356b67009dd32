"""Lines and zones as people write them: text, fractions or pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tallylens.edge_runtime.errors import UsageError
from tallylens.edge_runtime.types import Line, Zone


def parse_line(text: str) -> Line:
    """`x1,y1,x2,y2[,name]` to a line.

    Raises:
        UsageError: not four finite numbers, or both ends are the same point.
    """
    numbers, name = _numbers_and_name(text)
    if len(numbers) != 4:
        raise UsageError(
            f"the line {text!r} has {len(numbers)} coordinates",
            "Give four and perhaps a name: --line x1,y1,x2,y2,name",
        )
    if numbers[:2] == numbers[2:]:
        raise UsageError(f"the line {text!r} has no length", "Give two different ends")
    x1, y1, x2, y2 = numbers
    return Line(x1, y1, x2, y2, name)


def parse_zone(text: str) -> Zone:
    """`x1,y1,x2,y2,x3,y3...[,name]` to a zone of at least three corners."""
    numbers, name = _numbers_and_name(text)
    if len(numbers) < 6 or len(numbers) % 2:
        raise UsageError(
            f"the zone {text!r} has {len(numbers)} coordinates",
            "Give x and y of at least three corners: --zone x1,y1,x2,y2,x3,y3,name",
        )
    return Zone(tuple(zip(numbers[::2], numbers[1::2], strict=True)), name)


def _numbers_and_name(text: str) -> tuple[list[float], str]:
    parts = [part.strip() for part in text.split(",")]
    numbers: list[float] = []
    for index, part in enumerate(parts):
        try:
            numbers.append(float(part))
        except ValueError:
            return numbers, ",".join(parts[index:])
        if not math.isfinite(numbers[-1]):
            raise UsageError(f"{part!r} in {text!r} is no coordinate", "Give finite numbers")
    return numbers, ""


def in_pixels(
    points: Sequence[tuple[float, float]], frame_size: tuple[int, int]
) -> list[tuple[float, float]]:
    """The points in pixels of a (width, height) frame; they are fractions when all are <= 1."""
    if any(coordinate > 1 for point in points for coordinate in point):
        return list(points)
    width, height = frame_size
    return [(x * width, y * height) for x, y in points]
