"""decode.json: raw head outputs, and the detections that they stand for.

Expected values are computed here in plain Python, box by box, by the formulas of each kind of head.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from itertools import combinations, count, pairwise
from typing import Any

from . import anchor_head, distribution_head
from .head_values import (
    CLASSES,
    HEIGHT,
    LETTERBOX,
    STRIDE,
    WIDTH,
    Entries,
    Row,
    ordered,
    quantized,
)

DTYPES = ("int8", "uint8", "float32", "float16")
MARGIN = 1e-4
CONFIDENCE, IOU, CROSS_CLASS_IOU = 0.25, 0.45, 0.7
Drawn = tuple[dict[str, Any], Entries, list[Row]]


def iou(a: Row, b: Row) -> float:
    """Intersection over union."""
    shared = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0


def clipped(row: Row) -> Row:
    """The sides of a box inside the frame; NMS compares whole boxes."""
    most = (LETTERBOX["source_width"], LETTERBOX["source_height"]) * 2
    return [min(max(side, 0), end) for side, end in zip(row[:4], most, strict=True)]


def limit(a: Row, b: Row) -> float:
    """The overlap above which two boxes are one object."""
    return IOU if a[5] == b[5] else CROSS_CLASS_IOU


def is_clear(rows: list[Row]) -> bool:
    """Whether rounding changes no decision: no scores, and no overlap and limit, are near."""
    ordered = sorted([*(row[4] for row in rows), CONFIDENCE])
    apart = all(b - a > MARGIN for a, b in pairwise(ordered))
    return apart and all(abs(iou(a, b) - limit(a, b)) > MARGIN for a, b in combinations(rows, 2))


def suppressed(rows: list[Row]) -> list[Row]:
    """Greedy NMS: within a class above IOU, between classes above CROSS_CLASS_IOU."""
    kept: list[Row] = []
    for one in sorted(rows, key=lambda row: -row[4]):
        if all(iou(one, other) <= limit(one, other) for other in kept):
            kept.append(one)
    return kept


def case(dtype: str, layout: str, drawn: Drawn) -> dict[str, Any] | None:
    """One head of random values in the order of the layout; None where rounding could decide."""
    kind, entries, rows = drawn
    candidates = [row for row in rows if row[4] >= CONFIDENCE - MARGIN]
    if not is_clear(candidates):
        return None
    found = suppressed(candidates)
    detections = [[round(v, 4) for v in (*clipped(row), *row[4:])] for row in found]
    scale, zero = quantized(dtype)
    head = {"dtype": dtype, "layout": layout, "width": WIDTH, "height": HEIGHT, "stride": STRIDE,
            "scale": scale, "zero_point": zero, **kind}  # fmt: skip
    return {"head": head, "values": ordered(entries, layout), "detections": detections}


def first(dtype: str, layout: str, draw: Callable[[random.Random], Drawn]) -> dict[str, Any]:
    """The case of the first seed in which rounding decides nothing, with some detections."""
    drawn = (case(dtype, layout, draw(random.Random(seed))) for seed in count())
    return next(one for one in drawn if one is not None and len(one["detections"]) > 3)


def cases() -> list[dict[str, Any]]:
    """Every dtype in both layouts, of both kinds of heads."""
    kinds = [(dtype, layout) for dtype in DTYPES for layout in ("NHWC", "NCHW")]
    anchors = [
        first(dtype, layout, lambda rng, dtype=dtype: anchor_head.head(dtype, rng))
        for dtype, layout in kinds
    ]
    return anchors + [
        first(
            dtype,
            layout,
            lambda rng, dtype=dtype, layout=layout: distribution_head.head(dtype, layout, rng),
        )
        for dtype, layout in kinds
    ]


def text() -> str:
    """The file, one case on each line."""
    options = {"num_classes": CLASSES, "confidence": CONFIDENCE, "iou": IOU,
               "cross_class_iou": CROSS_CLASS_IOU}  # fmt: skip
    lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in cases())
    head = f'"options": {json.dumps(options)},\n"letterbox": {json.dumps(LETTERBOX)}'
    return f'{{"version": 1,\n{head},\n"cases": [\n{lines}\n]}}\n'
