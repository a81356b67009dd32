"""How far a detector's heads are from those of the one it stands for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...edge_runtime.metadata import ModelMetadata
from ...edge_runtime.types import FloatArray

# Average precision asks for boxes that overlap by up to 0.95: a tenth less is a great loss.
BOX_GAIN = 5.0


def head_error(
    metadata: ModelMetadata, heads: Sequence[FloatArray], reference: Sequence[FloatArray]
) -> float:
    """0 where `heads` say what `reference` says, rising with every doubt about an object.

    Both are raw heads (n, na * (5 + nc), h, w) in the order of the metadata. The
    Kullback-Leibler divergence of objectness everywhere, and where the reference sees objects,
    weighted by its objectness, that of classes and what boxes lack in IoU; for each object that
    the reference sees. Weak detections count as they do in
    average precision, which squared differences of scores hide.
    """
    missed, objects = 0.0, 1e-3
    for index, (found, wanted) in enumerate(zip(heads, reference, strict=True)):
        shape = (len(found), len(metadata.anchors[index]), -1, *found.shape[2:])
        a, b = found.reshape(shape), wanted.reshape(shape)
        weight = _sigmoid(b[:, :, 4])
        boxes = 1 - _iou(a, b, metadata.anchors[index], metadata.strides[index])
        classes = _divergence(a[:, :, 5:], b[:, :, 5:]).sum(axis=2)
        missed += float(_divergence(a[:, :, 4], b[:, :, 4]).sum(dtype=np.float64))
        missed += float((weight * (classes + BOX_GAIN * boxes)).sum(dtype=np.float64))
        objects += float(weight.sum(dtype=np.float64))
    return missed / objects


def _sigmoid(logits: FloatArray) -> FloatArray:
    squashed = 1 / (1 + np.exp(-np.clip(logits, -60, 60)))
    return squashed.astype(np.float32, copy=False)


def _iou(
    a: FloatArray, b: FloatArray, anchors: Sequence[tuple[float, float]], stride: int
) -> FloatArray:
    """Of the boxes of two heads (n, na, 5 + nc, h, w), place by place."""
    scale = np.asarray(anchors, np.float32)[None, :, :, None, None]
    sides = [np.square(2 * _sigmoid(head[:, :, 2:4])) * scale for head in (a, b)]
    apart = 2 * stride * np.abs(_sigmoid(a[:, :, :2]) - _sigmoid(b[:, :, :2]))
    reach = (sides[0] + sides[1]) / 2 - apart
    common = np.clip(np.minimum(reach, np.minimum(*sides)), 0, None).prod(axis=2)
    areas = [side.prod(axis=2) for side in sides]
    iou: FloatArray = common / np.maximum(areas[0] + areas[1] - common, 1e-6)
    return iou


def _divergence(logits: FloatArray, wanted: FloatArray) -> FloatArray:
    """Of yes-or-no distributions, at least zero."""
    gap: FloatArray = np.logaddexp(0, logits) - np.logaddexp(0, wanted)
    return np.maximum(gap - _sigmoid(wanted) * (logits - wanted), 0)
