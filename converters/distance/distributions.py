"""Distance of head outputs from those of a reference, for heads without anchors.

What `distance` measures, with the best class score in the place of objectness.
"""

from __future__ import annotations

import numpy as np

from ...edge_runtime.metadata import BOX_SIDES
from ...edge_runtime.types import FloatArray


def split(head: FloatArray, reg_max: int) -> tuple[FloatArray, FloatArray]:
    """Distances in cells (n, 4, h, w) and class logits (n, nc, h, w) of a head (n, c, h, w)."""
    bins = head[:, : BOX_SIDES * reg_max].reshape(len(head), BOX_SIDES, reg_max, *head.shape[2:])
    weights = np.exp(bins - bins.max(axis=2, keepdims=True))
    steps = np.arange(reg_max, dtype=np.float32)[None, None, :, None, None]
    distances: FloatArray = (weights * steps).sum(axis=2) / weights.sum(axis=2)
    return distances, head[:, BOX_SIDES * reg_max :]


def distance_iou(a: FloatArray, b: FloatArray) -> FloatArray:
    """IoU (n, h, w) of the boxes of two heads around the same cells, from distances (n, 4, h, w).

    Both boxes hold the middle of their cell, so that they share the smaller of every distance.
    """
    common, first, second = (_area(one) for one in (np.minimum(a, b), a, b))
    iou: FloatArray = common / np.maximum(first + second - common, 1e-6)
    return iou


def _area(distances: FloatArray) -> FloatArray:
    left, top, right, bottom = distances.transpose(1, 0, 2, 3)
    area: FloatArray = (left + right) * (top + bottom)
    return area
