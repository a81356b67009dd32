"""How far a student's heads are from its teacher's, where it matters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...edge_runtime.metadata import ModelMetadata
from ..emit.tflite_ops import Tensor
from ..prune.distance import BOX_GAIN


def distillation_loss(
    tf: Any, metadata: ModelMetadata, heads: Sequence[Tensor], teacher: Sequence[Tensor]
) -> Tensor:
    """A scalar, zero where both agree; heads are (n, h, w, na * (5 + nc)) logits.

    What `head_error` measures, as TensorFlow can differentiate it.
    """
    loss, objects = 0.0, 1e-3
    for index, (found, wanted) in enumerate(zip(heads, teacher, strict=True)):
        anchors = len(metadata.anchors[index])
        shape = (-1, anchors, 5 + metadata.num_classes)
        a, b = tf.reshape(found, shape), tf.reshape(wanted, shape)
        weight = tf.sigmoid(b[..., 4])
        boxes = tf.square(tf.sigmoid(a[..., :4]) - tf.sigmoid(b[..., :4]))
        loss += tf.reduce_sum(_divergence(tf, a[..., 4], b[..., 4]))
        classes = tf.reduce_sum(_divergence(tf, a[..., 5:], b[..., 5:]), -1)
        loss += tf.reduce_sum(weight * (classes + BOX_GAIN * tf.reduce_sum(boxes, -1)))
        objects += tf.reduce_sum(weight)
    return loss / objects


def _divergence(tf: Any, logits: Tensor, wanted: Tensor) -> Tensor:
    """Kullback-Leibler divergence of yes-or-no distributions."""
    target = tf.sigmoid(wanted)
    cross = tf.nn.sigmoid_cross_entropy_with_logits(labels=target, logits=logits)
    return cross - tf.nn.sigmoid_cross_entropy_with_logits(labels=target, logits=wanted)
