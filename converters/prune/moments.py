"""Inputs of convolutions: sampled patches and their second moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from ...edge_runtime.types import FloatArray
from ..shapes import integers, size_of
from .channel_removal import weights_of

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sampler:
    """At most `limit` output positions per image, the same ones for the same map size."""

    limit: int = 256

    def positions(self, conv: ir.Node) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Rows and columns of a Conv's output."""
        _, height, width = size_of(conv.outputs[0])
        flat = np.arange(height * width)
        if len(flat) > self.limit:
            flat = np.sort(np.random.default_rng(0).choice(flat, self.limit, replace=False))
        return flat // width, flat % width

    def patches(self, conv: ir.Node, source: FloatArray) -> FloatArray:
        """Inputs of the Conv (one group) at the positions, (positions, in * kh * kw + 1).

        The last column is one, for the bias.
        """
        rows, columns = self.positions(conv)
        kernel = weights_of(conv)[0].shape[2:]
        strides, dilations = integers(conv, "strides", (1, 1)), integers(conv, "dilations", (1, 1))
        top, left, bottom, right = integers(conv, "pads", (0, 0, 0, 0))
        padded = np.pad(source[0], ((0, 0), (top, bottom), (left, right)))
        down = rows[:, None] * strides[0] + np.arange(kernel[0]) * dilations[0]
        across = columns[:, None] * strides[1] + np.arange(kernel[1]) * dilations[1]
        found = padded[:, down[:, :, None], across[:, None, :]]
        flat = found.transpose(1, 0, 2, 3).reshape(len(rows), -1)
        return np.concatenate([flat, np.ones((len(rows), 1), np.float32)], axis=1)


def matrix_of(conv: ir.Node) -> FloatArray:
    """Weights and bias of a Conv as (in * kh * kw + 1, out)."""
    weight, bias = weights_of(conv)
    rows = np.concatenate([weight.reshape(len(weight), -1), bias[:, None]], axis=1)
    columns: FloatArray = rows.T
    return columns


def second_moment(patches: Sequence[FloatArray]) -> Doubles:
    """The mean of x x^T over all rows of all `patches`."""
    total = np.zeros((patches[0].shape[1],) * 2)
    for rows in patches:
        total += rows.T @ rows
    return total / sum(len(rows) for rows in patches)
