"""Rounding of one layer's weights that minimizes the error of its output, not of each weight.

Weights are rounded one input at a time, and what each rounding does to the output is taken up by
the inputs not yet rounded (Frantar et al., GPTQ, arXiv 2210.17323).
"""

from __future__ import annotations

import numpy as np

from ...edge_runtime.types import FloatArray
from .scheme import WEIGHT_STEPS, largest_scale

_DAMPING = 0.02
_BLOCK = 128
_SHRINKS = (1.0, 0.96, 0.92, 0.88, 0.84, 0.8)


def round_weights(weight: FloatArray, inputs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(out, k) weights on the int8 grid, and the step of each row.

    `inputs`: (samples, k) of what the weights are multiplied with.
    """
    centered = inputs - inputs.mean(axis=0)
    moments = (centered.T @ centered / len(centered)).astype(np.float64)
    diagonal = np.diag_indices_from(moments)
    moments[diagonal] += _DAMPING * float(np.mean(moments[diagonal])) + 1e-9
    scale = _search_scale(weight, moments[diagonal].astype(np.float32))
    # Upper triangular: row j says how the inputs after j take up an error in input j.
    taken_up = np.linalg.cholesky(np.linalg.inv(moments)).T.astype(np.float32)
    return _feed_errors(weight, scale, taken_up), scale


def round_to(weight: FloatArray, scale: FloatArray) -> FloatArray:
    """Every weight (out, k) to its nearest multiple."""
    steps = np.clip(np.rint(weight / scale[:, None]), -WEIGHT_STEPS, WEIGHT_STEPS)
    rounded: FloatArray = (steps * scale[:, None]).astype(np.float32)
    return rounded


def _search_scale(weight: FloatArray, importance: FloatArray) -> FloatArray:
    """The step of each row with the smallest error, inputs weighted by their power."""
    widest = largest_scale(weight)
    scales = np.stack([widest * np.float32(shrink) for shrink in _SHRINKS])
    errors = np.stack(
        [((round_to(weight, scale) - weight) ** 2 * importance).sum(axis=1) for scale in scales]
    )
    best: FloatArray = np.take_along_axis(scales, errors.argmin(axis=0)[None], axis=0)[0]
    return best


def _feed_errors(weight: FloatArray, scale: FloatArray, taken_up: FloatArray) -> FloatArray:
    """Round column by column; blocks only keep the updates in fast memory."""
    left, rounded = weight.copy(), np.empty_like(weight)
    for start in range(0, weight.shape[1], _BLOCK):
        stop = min(start + _BLOCK, weight.shape[1])
        errors = np.empty((len(weight), stop - start), np.float32)
        for column in range(start, stop):
            values = left[:, column]
            rounded[:, column] = round_to(values[:, None], scale)[:, 0]
            error = (values - rounded[:, column]) / taken_up[column, column]
            left[:, column:stop] -= error[:, None] * taken_up[column, column:stop]
            errors[:, column - start] = error
        left[:, stop:] -= errors @ taken_up[start:stop, stop:]
    return rounded
