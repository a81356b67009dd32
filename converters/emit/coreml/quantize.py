"""The numbers of 8-bit Core ML: per-channel weights, and scale and zero point of activations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ....edge_runtime.types import FloatArray
from ...graph import DetectorGraph
from ...quantize.range_selection import tie_ranges
from ...quantize.scheme import Ranges

# float16 below is subnormal, which the Neural Engine takes for zero.
SMALLEST_SCALE = float(np.finfo(np.float16).tiny)
_STEPS = 255
_LARGEST_WEIGHT = 127

# Operators that read 8-bit values on the device. Sigmoid, SiLU and their like are computed in
# float16 behind the convolution, so the values between the two are never rounded to 8 bits.
EIGHT_BIT_READERS = ("Conv", "Add", "Concat", "MaxPool", "Resize")


@dataclass(frozen=True)
class Affine:
    """value = scale * (q - zero_point), q from 0 to 255."""

    scale: np.float16
    zero_point: np.uint8


def quantize_weights(
    kernel: FloatArray, steps: FloatArray | None = None
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float16]]:
    """(out, ...) weights as symmetric int8 and one float16 scale per output channel.

    `steps`: (out,) sizes of which the weights are whole multiples already.
    """
    shape = (-1, *[1] * (kernel.ndim - 1))
    if steps is not None:
        whole = np.rint(kernel / steps.reshape(shape)).astype(np.int8)
        return whole, np.maximum(steps, SMALLEST_SCALE).astype(np.float16)
    largest = np.abs(kernel).reshape(len(kernel), -1).max(1) / _LARGEST_WEIGHT
    scale = np.maximum(largest, SMALLEST_SCALE).astype(np.float16)
    # By the scale that is stored, not by the one that was wanted.
    return _rounded(kernel / scale.astype(np.float32).reshape(shape)), scale


def _rounded(steps: FloatArray) -> npt.NDArray[np.int8]:
    """(out, ...) to whole steps, each rounded together with the error of those before it.

    Neighbors in a kernel see nearly the same values, so errors that cancel out there cancel out
    in the sum as well.
    """
    flat = steps.reshape(len(steps), -1)
    rounded = np.empty(flat.shape, np.int8)
    error = np.zeros(len(flat), np.float32)
    for column in range(flat.shape[1]):
        wanted = flat[:, column] + error
        rounded[:, column] = np.clip(np.rint(wanted), -_LARGEST_WEIGHT, _LARGEST_WEIGHT)
        error = np.clip(wanted - rounded[:, column], -0.5, 0.5)
    return rounded.reshape(steps.shape)


def affine(limits: tuple[float, float]) -> Affine:
    """The 8-bit form of a range, which is widened to hold zero."""
    low, high = min(limits[0], 0.0), max(limits[1], 0.0)
    scale = np.float16(max((high - low) / _STEPS, SMALLEST_SCALE))
    zero_point = np.clip(np.rint(-low / np.float32(scale)), 0, _STEPS)
    return Affine(scale, np.uint8(zero_point))


def quantized_values(graph: DetectorGraph, ranges: Ranges) -> dict[str, Affine]:
    """The values that are written with 8 bits, by name."""
    read = {
        value.name
        for node in graph.model.graph
        if node.op_type in EIGHT_BIT_READERS
        for value in node.inputs
        if value is not None
    }
    heads = set(graph.metadata.head_names)
    tied = tie_ranges(graph, ranges)
    return {name: affine(limits) for name, limits in tied.items() if name in read - heads}
