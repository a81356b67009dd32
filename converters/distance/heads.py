"""Distance of a detector's head outputs from those of a reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...edge_runtime.metadata import ModelMetadata
from ...edge_runtime.types import FloatArray
from .distributions import distance_iou, split

# Average precision asks for boxes that overlap by up to 0.95: a tenth less is a great loss.
BOX_GAIN = 5.0
# The logit of an objectness of a thousandth.
_FAINT = -6.9


def head_error(
    metadata: ModelMetadata, heads: Sequence[FloatArray], reference: Sequence[FloatArray]
) -> float:
    """0 where `heads` equal `reference`, rising with every change that affects an object.

    Both are raw head outputs (n, channels, h, w) in the order of the metadata. The
    Kullback-Leibler divergence of objectness everywhere, and where the reference detects objects,
    weighted by its objectness, that of classes and what boxes lack in IoU; for each object that
    the reference detects. Low-score detections count as they do in
    average precision, which squared differences of scores hide. Heads without objectness have the
    divergence of classes everywhere, and the best class score as the weight of a box.
    """
    missed, objects = 0.0, 1e-3
    for index, (found, wanted) in enumerate(zip(heads, reference, strict=True)):
        if metadata.reg_max:
            (near, scores), (box, chances) = (
                split(one, metadata.reg_max) for one in (found, wanted)
            )
            weight = _sigmoid(chances.max(axis=1))
            missed += float(_divergence(scores, chances).sum(dtype=np.float64))
            lacking = BOX_GAIN * weight * (1 - distance_iou(near, box))
            missed += float(lacking.sum(dtype=np.float64))
            objects += float(weight.sum(dtype=np.float64))
            continue
        shape = (len(found), len(metadata.anchors[index]), -1, *found.shape[2:])
        a, b = found.reshape(shape), wanted.reshape(shape)
        weight = _sigmoid(b[:, :, 4])
        boxes = 1 - head_iou(a, b, metadata.anchors[index], metadata.strides[index])
        classes = _divergence(a[:, :, 5:], b[:, :, 5:]).sum(axis=2)
        missed += float(_divergence(a[:, :, 4], b[:, :, 4]).sum(dtype=np.float64))
        missed += float((weight * (classes + BOX_GAIN * boxes)).sum(dtype=np.float64))
        objects += float(weight.sum(dtype=np.float64))
    return missed / objects


def _sigmoid(logits: FloatArray) -> FloatArray:
    squashed = 1 / (1 + np.exp(-np.clip(logits, -60, 60)))
    return squashed.astype(np.float32, copy=False)


def detection_error(
    metadata: ModelMetadata, heads: Sequence[FloatArray], reference: Sequence[FloatArray]
) -> float:
    """0 where `heads` detect what `reference` detects, about 1 where they detect none of it.

    The squared differences of class scores, and of boxes in units of their own size weighted by
    the reference's squared score, over the reference's squared scores. Only cells where one of
    the two detects something are compared, so it is fast; confident detections count most.
    """
    missed, total = 0.0, 1e-9
    for index, (found, wanted) in enumerate(zip(heads, reference, strict=True)):
        if metadata.reg_max:
            (near, x), (box, y) = (split(one, metadata.reg_max) for one in (found, wanted))
            scores, expected = _sigmoid(x), _sigmoid(y)
            apart = np.square(expected).max(axis=1) * (1 - distance_iou(near, box))
            missed += float(np.square(scores - expected).sum()) + float(apart.sum())
            total += float(np.square(expected).sum())
            continue
        for anchor, sides in enumerate(metadata.anchors[index]):
            a, b = (_active(one, anchor, metadata.num_classes) for one in (found, wanted))
            cells = np.maximum(a[:, 4], b[:, 4]) > _FAINT
            x, y = (_sigmoid(one.transpose(0, 2, 3, 1)[cells]) for one in (a, b))
            scores, expected = x[:, 4:5] * x[:, 5:], y[:, 4:5] * y[:, 5:]
            boxes = np.minimum(_box_error(x, y, sides, metadata.strides[index]), 1)
            missed += float(np.square(scores - expected).sum())
            missed += float((np.square(expected).max(axis=1, initial=0) * boxes).sum())
            total += float(np.square(expected).sum())
    return missed / total


def _active(head: FloatArray, anchor: int, classes: int) -> FloatArray:
    """One anchor's channels, (n, 5 + nc, h, w)."""
    return head[:, anchor * (5 + classes) : (anchor + 1) * (5 + classes)]


def _box_error(
    a: FloatArray, b: FloatArray, anchor: tuple[float, float], stride: int
) -> FloatArray:
    """Error of boxes (cells, 4) after the sigmoid: of centers and of log sides, relative to b."""
    sides = np.maximum(np.square(2 * b[:, 2:4]) * np.asarray(anchor, np.float32), 1)
    centers = 2 * stride * (a[:, :2] - b[:, :2]) / sides
    ratios = 2 * np.log(np.maximum(a[:, 2:4], 1e-3) / np.maximum(b[:, 2:4], 1e-3))
    error: FloatArray = np.square(centers).sum(axis=1) + np.square(ratios).sum(axis=1)
    return error


def head_iou(
    a: FloatArray, b: FloatArray, anchors: Sequence[tuple[float, float]], stride: int
) -> FloatArray:
    """IoU of the boxes of two heads (n, na, 5 + nc, h, w), cell by cell.

    From distances and sides: unlike `box_iou` it needs no corners, which heads do not hold.
    """
    scale = np.asarray(anchors, np.float32)[None, :, :, None, None]
    sides = [np.square(2 * _sigmoid(head[:, :, 2:4])) * scale for head in (a, b)]
    apart = 2 * stride * np.abs(_sigmoid(a[:, :, :2]) - _sigmoid(b[:, :, :2]))
    reach = (sides[0] + sides[1]) / 2 - apart
    common = np.clip(np.minimum(reach, np.minimum(*sides)), 0, None).prod(axis=2)
    areas = [side.prod(axis=2) for side in sides]
    iou: FloatArray = common / np.maximum(areas[0] + areas[1] - common, 1e-6)
    return iou


def _divergence(logits: FloatArray, wanted: FloatArray) -> FloatArray:
    """Kullback-Leibler divergence of Bernoulli distributions, at least zero."""
    gap: FloatArray = np.logaddexp(0, logits) - np.logaddexp(0, wanted)
    return np.maximum(gap - _sigmoid(wanted) * (logits - wanted), 0)
