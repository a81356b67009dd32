"""Checks of both importers: names, input size and strides of heads."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from ..edge_runtime.errors import UsageError
from ..edge_runtime.metadata import MAX_INPUT_SIDE
from .shapes import ShapeError, size_of


def head_name(stride: int) -> str:
    """The name of the output whose cells are `stride` pixels wide."""
    return f"head{stride}"


def check_input_size(size: tuple[int, int], stride: int) -> None:
    """Raise UsageError unless both sides are multiples of `stride` and not too large."""
    height, width = size
    if all(0 < side <= MAX_INPUT_SIDE and side % stride == 0 for side in size):
        return
    fitting = [
        min(max(round(side / stride), 1), MAX_INPUT_SIDE // stride) * stride for side in size
    ]
    raise UsageError(
        f"the model cannot take images of {height}x{width}",
        f"Give a height and width that are multiples of {stride} and at most {MAX_INPUT_SIDE}, "
        f"such as {fitting[0]}x{fitting[1]}",
    )


def check_strides(
    heads: Sequence[ir.Value], strides: Sequence[int], channels: int, size: tuple[int, int]
) -> None:
    """Raise ShapeError unless every head has `channels` and one cell for each stride.

    All heads have as many channels as the first says, and no two have the same stride.
    """
    if len(set(strides)) != len(strides):
        raise ShapeError("two heads of the same stride")
    for head, stride in zip(heads, strides, strict=True):
        expected = (channels, size[0] // stride, size[1] // stride)
        if size_of(head) != expected:
            raise ShapeError(f"{head.name} has the shape {size_of(head)}, expected {expected}")
