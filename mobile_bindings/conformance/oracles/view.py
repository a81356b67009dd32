"""Mean gray levels of the parts of a frame, in whole numbers and fractions of Python."""

from __future__ import annotations

from fractions import Fraction

COLUMNS, ROWS = 32, 18
GRAY = (9798, 19235, 3735)

Pixels = list[list[tuple[int, int, int]]]


def parts(length: int, count: int) -> list[list[tuple[int, Fraction]]]:
    """For each of `count` equal parts of `length` pixels: pixels in it, and how much of each."""
    found = []
    for part in range(count):
        begin, end = Fraction(part * length, count), Fraction((part + 1) * length, count)
        inside = ((i, min(end, Fraction(i + 1)) - max(begin, Fraction(i))) for i in range(length))
        found.append([(i, share) for i, share in inside if share > 0])
    return found


def view(rows: Pixels) -> list[int]:
    """Gray levels of the cells of an upright frame of (red, green, blue)."""
    across, down = parts(len(rows[0]), COLUMNS), parts(len(rows), ROWS)
    area = Fraction(len(rows[0]) * len(rows), COLUMNS * ROWS)
    cells = []
    for lines in down:
        for columns in across:
            mean = [
                round(sum(a * b * rows[y][x][channel] for y, a in lines for x, b in columns) / area)
                for channel in range(3)
            ]
            level = sum(one * weight for one, weight in zip(mean, GRAY, strict=True))
            cells.append((level + (1 << 14)) >> 15)
    return cells
