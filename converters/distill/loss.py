"""The distillation loss: how far a student's head outputs are from its teacher's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...edge_runtime.metadata import BOX_SIDES, ModelMetadata
from ..distance.heads import BOX_GAIN
from ..emit.tflite_writer import Tensor


def distillation_loss(
    tf: Any, metadata: ModelMetadata, heads: Sequence[Tensor], teacher: Sequence[Tensor]
) -> Tensor:
    """A scalar, zero where both agree; heads are (n, h, w, channels) logits.

    What `head_error` measures, as TensorFlow can differentiate it.
    """
    loss, objects = 0.0, 1e-3
    for index, (found, wanted) in enumerate(zip(heads, teacher, strict=True)):
        if metadata.reg_max:
            near, scores = _split(tf, found, metadata.reg_max)
            box, chances = _split(tf, wanted, metadata.reg_max)
            weight = tf.sigmoid(tf.reduce_max(chances, -1))
            loss += tf.reduce_sum(_divergence(tf, scores, chances))
            loss += tf.reduce_sum(weight * BOX_GAIN * (1 - _distance_iou(tf, near, box)))
            objects += tf.reduce_sum(weight)
            continue
        anchors = len(metadata.anchors[index])
        shape = (-1, anchors, 5 + metadata.num_classes)
        # One split: the gradient of each slice would fill a tensor of the whole head.
        parts = [2, 2, 1, metadata.num_classes]
        a, b = (tf.split(tf.reshape(head, shape), parts, -1) for head in (found, wanted))
        weight = tf.sigmoid(b[2][..., 0])
        boxes = 1 - _iou(tf, a[:2], b[:2], metadata.anchors[index], metadata.strides[index])
        loss += tf.reduce_sum(_divergence(tf, a[2], b[2]))
        classes = tf.reduce_sum(_divergence(tf, a[3], b[3]), -1)
        loss += tf.reduce_sum(weight * (classes + BOX_GAIN * boxes))
        objects += tf.reduce_sum(weight)
    return loss / objects


def _split(tf: Any, head: Tensor, reg_max: int) -> tuple[Tensor, Tensor]:
    """Distances (cells, 4) and class logits (cells, nc) of a head without anchors."""
    rows = tf.reshape(head, (-1, head.shape[-1]))
    bins = tf.reshape(rows[:, : BOX_SIDES * reg_max], (-1, BOX_SIDES, reg_max))
    steps = tf.range(reg_max, dtype=tf.float32)
    return tf.reduce_sum(tf.nn.softmax(bins) * steps, -1), rows[:, BOX_SIDES * reg_max :]


def _distance_iou(tf: Any, a: Tensor, b: Tensor) -> Tensor:
    """The arithmetic of `distance.distributions.distance_iou`."""
    common, first, second = (
        (one[:, 0] + one[:, 2]) * (one[:, 1] + one[:, 3]) for one in (tf.minimum(a, b), a, b)
    )
    return common / tf.maximum(first + second - common, 1e-6)


def _iou(
    tf: Any,
    a: Sequence[Tensor],
    b: Sequence[Tensor],
    anchors: Sequence[tuple[float, float]],
    stride: int,
) -> Tensor:
    """IoU of the boxes of two heads, each its logits of centers and of sides (cells, na, 2).

    The arithmetic of `distance.heads.head_iou`, written again because TensorFlow has to
    differentiate it; a test compares the two.
    """
    scale = tf.constant(anchors, tf.float32)
    sides = [tf.square(2 * tf.sigmoid(head)) * scale for head in (a[1], b[1])]
    apart = 2.0 * stride * tf.abs(tf.sigmoid(a[0]) - tf.sigmoid(b[0]))
    reach = (sides[0] + sides[1]) / 2 - apart
    common = _area(tf, tf.nn.relu(tf.minimum(reach, tf.minimum(*sides))))
    areas = [_area(tf, side) for side in sides]
    return common / tf.maximum(areas[0] + areas[1] - common, 1e-6)


def _area(tf: Any, sides: Tensor) -> Tensor:
    """Of boxes of `sides` (..., 2)."""
    width, height = tf.unstack(sides, axis=-1)
    return width * height


def _divergence(tf: Any, logits: Tensor, wanted: Tensor) -> Tensor:
    """Kullback-Leibler divergence of Bernoulli distributions."""
    softplus = tf.nn.softplus
    return softplus(logits) - softplus(wanted) + tf.sigmoid(wanted) * (wanted - logits)
