"""How far a detector's heads are from those of the one it stands for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...edge_runtime.metadata import ModelMetadata
from ...edge_runtime.types import FloatArray


def head_error(
    metadata: ModelMetadata, heads: Sequence[FloatArray], reference: Sequence[FloatArray]
) -> float:
    """0 where `heads` detect what `reference` detects, about 1 where they detect nothing of it.

    Both are raw heads (n, na * (5 + nc), h, w) in the order of the metadata. The sum of squared
    differences of class scores, and of boxes in units of their own size weighted by the
    reference's score, over the sum of squared reference scores.
    """
    missed, total = 0.0, 0.0
    for index, (found, wanted) in enumerate(zip(heads, reference, strict=True)):
        anchors = metadata.anchors[index]
        shape = (len(found), len(anchors), -1, *found.shape[2:])
        a, b = found.reshape(shape), wanted.reshape(shape)
        scores, expected = _scores(a), _scores(b)
        boxes = np.minimum(_box_error(a, b, anchors, metadata.strides[index]), 1)
        missed += float(((scores - expected) ** 2).sum())
        missed += float((expected.max(axis=2) ** 2 * boxes).sum())
        total += float((expected**2).sum())
    return missed / max(total, 1e-12)


def _sigmoid(logits: FloatArray) -> FloatArray:
    squashed: FloatArray = 1 / (1 + np.exp(-np.clip(logits, -60, 60)))
    return squashed


def _scores(head: FloatArray) -> FloatArray:
    scores: FloatArray = _sigmoid(head[:, :, 4:5]) * _sigmoid(head[:, :, 5:])
    return scores


def _box_error(
    head: FloatArray,
    reference: FloatArray,
    anchors: Sequence[tuple[float, float]],
    stride: int,
) -> FloatArray:
    """Squared distance of centres and of logarithms of sides, by the reference's sides."""
    a, b = _sigmoid(head[:, :, :4]), _sigmoid(reference[:, :, :4])
    sides = np.square(2 * b[:, :, 2:]) * np.asarray(anchors, np.float32)[None, :, :, None, None]
    centres = 2 * stride * (a[:, :, :2] - b[:, :, :2]) / np.maximum(sides, 1)
    ratios = 2 * np.log(np.maximum(a[:, :, 2:], 1e-3) / np.maximum(b[:, :, 2:], 1e-3))
    error: FloatArray = (centres**2).sum(axis=2) + (ratios**2).sum(axis=2)
    return error
