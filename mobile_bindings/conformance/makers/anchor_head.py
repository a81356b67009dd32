"""Heads of YOLOv5: values of one head, and the boxes that they stand for by its formulas."""

from __future__ import annotations

import random
from typing import Any

from .head_values import (
    CLASSES,
    HEIGHT,
    STRIDE,
    WIDTH,
    Entries,
    Row,
    drawn,
    quantized,
    sigmoid,
    source_sides,
)

ANCHORS = ((10.0, 13.0), (33.0, 23.0))


def box(real: Row, column: int, row: int, anchor: tuple[float, float]) -> Row:
    """x1, y1, x2, y2, confidence, class of one anchor of one cell, in source pixels."""
    x, y, w, h, objectness, *scores = map(sigmoid, real)
    cx, cy = (2 * x - 0.5 + column) * STRIDE, (2 * y - 0.5 + row) * STRIDE
    half_w, half_h = (2 * w) ** 2 * anchor[0] / 2, (2 * h) ** 2 * anchor[1] / 2
    best = max(range(CLASSES), key=lambda index: scores[index])
    sides = source_sides((cx - half_w, cy - half_h, cx + half_w, cy + half_h))
    return [*sides, objectness * scores[best], best]


def head(dtype: str, rng: random.Random) -> tuple[dict[str, Any], Entries, list[Row]]:
    """The description of the head, the values of each cell, and a box of every anchor of a cell."""
    scale, zero = quantized(dtype)
    entries: Entries = {}
    rows = []
    for y in range(HEIGHT):
        for x in range(WIDTH):
            entries[y, x] = []
            for anchor in ANCHORS:
                raw = [drawn(rng, dtype) for _ in range(5 + CLASSES)]
                entries[y, x] += raw
                rows.append(box([scale * (value - zero) for value in raw], x, y, anchor))
    return {"anchors": ANCHORS}, entries, rows
