"""The best boxes of a server's model to detections: letterbox before, NMS after.

The rules are those of the core's decoder, in numpy: here at most 1,024 boxes come in.
"""

from __future__ import annotations

import numpy as np

from ...edge_runtime.core import DecoderOptions
from ...edge_runtime.core.preprocessor import Letterbox
from ...edge_runtime.types import Detections, FloatArray


def detections_of(
    rows: FloatArray,
    letterbox: tuple[float, float, float, float, int, int],
    options: DecoderOptions,
) -> Detections:
    """`rows` (k, 6): left, top, right, bottom in input pixels, confidence, class.

    `letterbox` is (gain x, gain y, pad x, pad y, source width, source height).
    """
    good = np.isfinite(rows).all(1) & (rows[:, 4] >= options.confidence)
    rows = rows[good]
    rows = rows[np.argsort(-rows[:, 4], kind="stable")[: options.max_candidates]]
    rows = rows[_kept(rows, options)]
    gain_x, gain_y, pad_x, pad_y, width, height = letterbox
    pad, gain = np.array([pad_x, pad_y] * 2), np.array([gain_x, gain_y] * 2)
    boxes = np.clip((rows[:, :4] - pad) / gain, 0, np.array([width, height] * 2))
    return Detections(
        boxes.astype(np.float32), rows[:, 4].astype(np.float32), rows[:, 5].astype(np.int32)
    )


def freeze(letterbox: Letterbox) -> tuple[float, float, float, float, int, int]:
    """The letterbox of one frame, which the preprocessor overwrites with the next."""
    return (
        letterbox.gain_x,
        letterbox.gain_y,
        letterbox.pad_x,
        letterbox.pad_y,
        letterbox.source_width,
        letterbox.source_height,
    )


def _kept(rows: FloatArray, options: DecoderOptions) -> list[int]:
    """Rows, best first, that repeat no better one."""
    areas = np.prod(rows[:, 2:4] - rows[:, :2], axis=1)
    alive = np.ones(len(rows), bool)
    kept: list[int] = []
    for i in range(len(rows)):
        if not alive[i]:
            continue
        kept.append(i)
        if len(kept) == options.max_detections:
            break
        low = np.maximum(rows[i, :2], rows[i + 1 :, :2])
        high = np.minimum(rows[i, 2:4], rows[i + 1 :, 2:4])
        common = np.prod(np.clip(high - low, 0, None), axis=1)
        overlap = common / np.maximum(areas[i] + areas[i + 1 :] - common, 1e-9)
        same = rows[i + 1 :, 5] == rows[i, 5]
        limit = np.where(same, options.iou, options.cross_class_iou)
        alive[i + 1 :] &= (limit >= 1) | (overlap <= limit)
    return kept
