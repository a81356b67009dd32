"""decode.json: raw head outputs, and the detections that they stand for.

Expected values are computed here in plain Python, box by box, by YOLOv5's formulas.
"""

from __future__ import annotations

import json
import math
import random
from itertools import combinations, count, pairwise
from typing import Any

CLASSES, ANCHORS = 3, ((10.0, 13.0), (33.0, 23.0))
WIDTH, HEIGHT, STRIDE = 5, 4, 16
LETTERBOX = {"gain_x": 0.5, "gain_y": 0.5, "pad_x": 4, "pad_y": 2, "source_width": 144,
             "source_height": 120}  # fmt: skip
MARGIN = 1e-4
CONFIDENCE, IOU, CROSS_CLASS_IOU = 0.25, 0.45, 0.7
Row = list[float]


def sigmoid(value: float) -> float:
    """The logistic function."""
    return 1 / (1 + math.exp(-value))


def box(real: Row, column: int, row: int, anchor: tuple[float, float]) -> Row:
    """x1, y1, x2, y2, confidence, class of one anchor of one cell, in source pixels."""
    x, y, w, h, objectness, *scores = map(sigmoid, real)
    cx, cy = (2 * x - 0.5 + column) * STRIDE, (2 * y - 0.5 + row) * STRIDE
    half_w, half_h = (2 * w) ** 2 * anchor[0] / 2, (2 * h) ** 2 * anchor[1] / 2
    best = max(range(CLASSES), key=lambda index: scores[index])
    sides = []
    corners = (cx - half_w, cy - half_h, cx + half_w, cy + half_h)
    for value, axis in zip(corners, "xyxy", strict=True):
        sides.append((value - LETTERBOX[f"pad_{axis}"]) / LETTERBOX[f"gain_{axis}"])
    return [*sides, objectness * scores[best], best]


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


def drawn(rng: random.Random, dtype: str) -> float:
    """A value of a head."""
    if dtype == "float32":
        return round(rng.gauss(0, 2), 3)
    value = round(rng.gauss(0, 45)) + (120 if dtype == "uint8" else 5)
    return min(max(value, 0), 255) if dtype == "uint8" else min(max(value, -128), 127)


def suppressed(rows: list[Row]) -> list[Row]:
    """Greedy NMS: within a class above IOU, between classes above CROSS_CLASS_IOU."""
    kept: list[Row] = []
    for one in sorted(rows, key=lambda row: -row[4]):
        if all(iou(one, other) <= limit(one, other) for other in kept):
            kept.append(one)
    return kept


def case(dtype: str, layout: str, seed: int) -> dict[str, Any] | None:
    """One head of random values in the order of the layout; None where rounding could decide."""
    rng = random.Random(seed)
    scale, zero = {"int8": (0.05, 5), "uint8": (0.04, 120)}.get(dtype, (1.0, 0))
    entries, per = {}, 5 + CLASSES
    rows = []
    for y in range(HEIGHT):
        for x in range(WIDTH):
            for a, anchor in enumerate(ANCHORS):
                raw = [drawn(rng, dtype) for _ in range(per)]
                entries[y, x, a] = raw
                real = [scale * (value - zero) for value in raw]
                rows.append(box(real, x, y, anchor))
    cells = [(y, x) for y in range(HEIGHT) for x in range(WIDTH)]
    if layout == "NHWC":
        values = [v for y, x in cells for a in range(len(ANCHORS)) for v in entries[y, x, a]]
    else:
        channels = [divmod(c, per) for c in range(per * len(ANCHORS))]
        values = [entries[y, x, a][value] for a, value in channels for y, x in cells]
    candidates = [row for row in rows if row[4] >= CONFIDENCE - MARGIN]
    if not is_clear(candidates):
        return None
    found = suppressed(candidates)
    detections = [[round(v, 4) for v in (*clipped(row), *row[4:])] for row in found]
    head = {"dtype": dtype, "layout": layout, "width": WIDTH, "height": HEIGHT, "stride": STRIDE,
            "scale": scale, "zero_point": zero, "anchors": ANCHORS}  # fmt: skip
    return {"head": head, "values": values, "detections": detections}


def cases() -> list[dict[str, Any]]:
    """Every dtype in both layouts."""
    found = []
    for dtype in ("int8", "uint8", "float32"):
        for layout in ("NHWC", "NCHW"):
            found.append(next(one for seed in count() if (one := case(dtype, layout, seed))))
    return found


def text() -> str:
    """The file, one case on each line."""
    options = {"num_classes": CLASSES, "confidence": CONFIDENCE, "iou": IOU,
               "cross_class_iou": CROSS_CLASS_IOU}  # fmt: skip
    lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in cases())
    head = f'"options": {json.dumps(options)},\n"letterbox": {json.dumps(LETTERBOX)}'
    return f'{{"version": 1,\n{head},\n"cases": [\n{lines}\n]}}\n'
