"""Heads of YOLOv5u, YOLOv8 and YOLO11: values of one head, and the boxes that they stand for.

The distance from the center of a cell to each side is the expected value of a discrete distribution
over `reg_max` bins, in units of the stride (Generalized Focal Loss, arXiv:2006.04388); there is no
objectness.
"""

from __future__ import annotations

import math
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

# Bins by layout: that of the published models, and one that no power of two hides errors of.
BINS = {"NHWC": 16, "NCHW": 7}
# By which the logit of each bin is below that of the one before, so that boxes are cells in size.
FALL = 0.4


def distance(logits: Row) -> float:
    """The expected value, in cells, of a distribution given by its logits."""
    weights = [math.exp(logit) for logit in logits]
    return sum(index * weight for index, weight in enumerate(weights)) / sum(weights)


def box(real: Row, column: int, row: int, bins: int) -> Row:
    """x1, y1, x2, y2, confidence, class of one cell, in source pixels."""
    left, top, right, bottom = (
        distance(real[side * bins : (side + 1) * bins]) for side in range(4)
    )
    scores = [sigmoid(value) for value in real[4 * bins :]]
    best = max(range(CLASSES), key=lambda index: scores[index])
    cx, cy = column + 0.5, row + 0.5
    corners = (cx - left, cy - top, cx + right, cy + bottom)
    return [*source_sides(tuple(corner * STRIDE for corner in corners)), scores[best], best]


def head(dtype: str, layout: str, rng: random.Random) -> tuple[dict[str, Any], Entries, list[Row]]:
    """The description of the head, the values of each cell, and a box of every cell."""
    scale, zero = quantized(dtype)
    bins = BINS[layout]
    entries: Entries = {}
    rows = []
    for y in range(HEIGHT):
        for x in range(WIDTH):
            sides = [drawn(rng, dtype, -FALL * (i % bins)) for i in range(4 * bins)]
            raw = [*sides, *(drawn(rng, dtype) for _ in range(CLASSES))]
            entries[y, x] = raw
            rows.append(box([scale * (value - zero) for value in raw], x, y, bins))
    return {"anchors": (), "reg_max": bins}, entries, rows
