"""Muon for kernels and Adam for biases, both in units of what each output channel weighs.

A batch norm that is folded into a convolution leaves channels of very different sizes, and a step
of one length for all of them is lost in some and ruins others. Here a learning rate of 0.001 moves
a channel by about a thousandth of its root mean square. Muon (Jordan et al., 2024) makes the
momentum of a kernel orthogonal, so that steps also go where gradients are small.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...edge_runtime.types import FloatArray
from ..emit.tflite_writer import Tensor
from .student import Weights

VERSION = 2
"""Of what momentum and variance of a saved state mean; 1 was Adam in the weights' own units."""
_MOMENTUM = 0.95
# Of Adam.
_SHORT, _VARIANCE, _TINY = 0.9, 0.99, 1e-8
_AVERAGED = 0.998
# Of the mean of its layer: a channel that is nearly zero may still grow.
_SMALLEST = 0.1
# A bias counts as much as what its channel reads, less as those inputs are correlated.
_BIAS_SHARE = 0.3
# Quintic Newton-Schulz steps of Jordan et al.: singular values come to lie between 0.7 and 1.2.
_QUINTIC = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


def unit_sizes(weights: Mapping[str, FloatArray]) -> Weights:
    """For each of `read_weights` (out,): the size of its channels before the first step."""
    found: Weights = {}
    for name, kernel in weights.items():
        layer, _, part = name.rpartition(":")
        if part == "kernel":
            rows = kernel.reshape(-1, kernel.shape[-1])
            size = np.sqrt(np.mean(np.square(rows, dtype=np.float64), axis=0))
            size = np.maximum(size, max(_SMALLEST * float(size.mean()), _TINY))
            found[name] = size.astype(np.float32)
            found[f"{layer}:bias"] = (_BIAS_SHARE * math.sqrt(len(rows)) * size).astype(np.float32)
    return found


def update(
    tf: Any,
    variables: Mapping[str, Mapping[str, Any]],
    gradients: Mapping[str, Tensor],
    units: Mapping[str, FloatArray],
    rate: Tensor,
    number: Tensor,
) -> None:
    """Take a step with all `variables`: weights, average, momentum and variance, each by name.

    `gradients` are those of the weights, `units` their `unit_sizes`, `number` is that of the step,
    from 1, as a float.
    """
    for name, gradient in gradients.items():
        weight, average, momentum, variance = (
            variables[part][name] for part in ("weights", "average", "momentum", "variance")
        )
        slope = gradient * units[name]
        if _is_matrix(name, weight.shape):
            momentum.assign(_MOMENTUM * momentum + (1 - _MOMENTUM) * slope)
            direction = _orthogonal(tf, _MOMENTUM * momentum + (1 - _MOMENTUM) * slope)
        else:
            momentum.assign(_SHORT * momentum + (1 - _SHORT) * slope)
            variance.assign(_VARIANCE * variance + (1 - _VARIANCE) * slope * slope)
            size = tf.sqrt(variance / (1 - _VARIANCE**number)) + _TINY
            direction = momentum / (1 - _SHORT**number) / size
        weight.assign_sub(rate * units[name] * direction)
        # Short at first, so that the average forgets the start.
        keep = tf.minimum(_AVERAGED, number / (number + 10))
        average.assign(keep * average + (1 - keep) * weight)


def _is_matrix(name: str, shape: Sequence[int]) -> bool:
    """Whether these are weights that mix channels; the kernels of a depthwise Conv do not."""
    return name.endswith(":kernel") and shape[2] > 1


def _orthogonal(tf: Any, kernel: Tensor) -> Tensor:
    """The nearest kernel (kh, kw, in, out) with singular values of about one; its mean square is 1.

    Newton-Schulz on the kernel as a matrix (kh * kw * in, out).
    """
    shape = kernel.shape
    matrix = tf.reshape(kernel, (-1, shape[-1]))
    tall = matrix.shape[0] > matrix.shape[1]
    matrix /= tf.norm(matrix) + _TINY
    first, second, third = _QUINTIC
    for _ in range(_ITERATIONS):
        square = tf.matmul(matrix, matrix, transpose_a=tall, transpose_b=not tall)
        factor = second * square + third * tf.matmul(square, square)
        turned = tf.matmul(matrix, factor) if tall else tf.matmul(factor, matrix)
        matrix = first * matrix + turned
    return tf.reshape(matrix * math.sqrt(max(matrix.shape)), shape)
