"""Intersection over union of axis-aligned boxes."""

from __future__ import annotations

import numpy as np

from .types import FloatArray


def box_iou(first: FloatArray, second: FloatArray) -> FloatArray:
    """IoU of each box of one set with each box of another.

    Args:
        first: (n, 4) boxes, xyxy in any one unit.
        second: (m, 4) boxes in the same unit.

    Returns:
        (n, m) float32 in 0..1; 0 where the union has no area.
    """
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None, :] - shared
    overlap = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return np.asarray(overlap, np.float32)
