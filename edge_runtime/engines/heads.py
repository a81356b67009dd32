"""Checks that inputs and heads of a model match its metadata; both are untrusted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from ..errors import ModelError, UnsupportedModelError
from ..metadata import ModelMetadata
from ..types import HeadDtype, HeadSpec

Shape = tuple[int, ...]

# A uint8 or int8 input must take pixel values as they are: 0..255 for 0..1.
PIXEL_SCALE = 1 / 255
PIXEL_SCALE_TOLERANCE = 0.02 * PIXEL_SCALE
PIXEL_ZERO_POINT = {"uint8": 0, "int8": -128}


@dataclass(frozen=True)
class Tensor:
    """An input or output as the runtime reports it; `dtype` is a numpy name."""

    name: str
    shape: Shape
    dtype: str
    scale: float = 1.0
    zero_point: int = 0


def check_input(metadata: ModelMetadata, tensor: Tensor, path: str) -> None:
    """Raise ModelError unless the input tensor is as the metadata describes it."""
    height, width = metadata.input_size
    expected = (1, 3, height, width) if metadata.layout == "NCHW" else (1, height, width, 3)
    if tensor.shape != expected:
        raise _mismatch(path, f"the input has shape {tensor.shape}, by its metadata {expected}")
    if tensor.dtype not in get_args(HeadDtype):
        raise _mismatch(path, f"the input is {tensor.dtype}, not float32, uint8 or int8")
    if tensor.dtype == "float32":
        return
    scale_is_right = abs(tensor.scale - PIXEL_SCALE) <= PIXEL_SCALE_TOLERANCE
    if not scale_is_right or tensor.zero_point != PIXEL_ZERO_POINT[tensor.dtype]:
        raise _mismatch(
            path,
            f"the {tensor.dtype} input has scale {tensor.scale:.6g} and zero point "
            f"{tensor.zero_point}, so that it does not take pixel values as they are",
        )


def renamed(metadata: ModelMetadata, class_names: Sequence[str] | None, path: str) -> ModelMetadata:
    """The metadata with other names of the same classes.

    Raises:
        UnsupportedModelError: another number of names.
    """
    if class_names is None:
        return metadata
    if len(class_names) != metadata.num_classes:
        raise UnsupportedModelError(
            path,
            f"it has {metadata.num_classes} classes, --names gives {len(class_names)}",
            "Give the model's own names",
        )
    return replace(metadata, class_names=tuple(class_names))


def match_heads(
    metadata: ModelMetadata, outputs: Sequence[Tensor], path: str
) -> tuple[list[int], list[HeadSpec]]:
    """Find the output of each head of the metadata: by name, else by grid size.

    Converters rename and reorder TFLite outputs, but a smaller stride has a larger grid.

    Returns:
        The index of each head's output, and the heads, both in the order of the metadata.

    Raises:
        ModelError: number, shape, dtype or quantization of the outputs does not match.
    """
    heads = range(len(metadata.head_names))
    if len(outputs) != len(heads):
        raise _mismatch(
            path, f"the number of outputs is {len(outputs)}, by its metadata {len(heads)}"
        )
    order = _order(metadata, outputs)
    return order, [_head_spec(metadata, head, outputs[order[head]], path) for head in heads]


def _order(metadata: ModelMetadata, outputs: Sequence[Tensor]) -> list[int]:
    names = [output.name for output in outputs]
    if set(names) == set(metadata.head_names):
        return [names.index(name) for name in metadata.head_names]
    grid = slice(2, 4) if metadata.layout == "NCHW" else slice(1, 3)
    positions = sorted(range(len(names)), key=lambda i: -math.prod(outputs[i].shape[grid]))
    heads = sorted(range(len(names)), key=lambda head: metadata.strides[head])
    position_of = dict(zip(heads, positions, strict=True))
    return [position_of[head] for head in range(len(names))]


def head_shape(metadata: ModelMetadata, head: int) -> Shape:
    """The array shape of head number `head` by the metadata."""
    height, width = (side // metadata.strides[head] for side in metadata.input_size)
    channels = metadata.head_channels(head)
    if metadata.layout == "NCHW":
        return (1, channels, height, width)
    return (1, height, width, channels)


def _head_spec(metadata: ModelMetadata, head: int, tensor: Tensor, path: str) -> HeadSpec:
    name, stride = metadata.head_names[head], metadata.strides[head]
    height, width = metadata.input_size
    expected = head_shape(metadata, head)
    if tensor.shape != expected or height % stride or width % stride:
        raise _mismatch(path, f"head {name} has shape {tensor.shape}, by its metadata {expected}")
    scale, zero_point = _quantization(tensor, name, path)
    return HeadSpec(
        name=name,
        dtype=_dtype(tensor, name, path),
        layout=metadata.layout,
        width=width // stride,
        height=height // stride,
        stride=stride,
        anchors=metadata.anchors[head],
        scale=scale,
        zero_point=zero_point,
        reg_max=metadata.reg_max,
    )


def _dtype(tensor: Tensor, name: str, path: str) -> HeadDtype:
    for known in ("float32", "uint8", "int8"):
        if tensor.dtype == known:
            return known
    raise _mismatch(path, f"head {name} is {tensor.dtype}, not float32, uint8 or int8")


def _quantization(tensor: Tensor, name: str, path: str) -> tuple[float, int]:
    if tensor.dtype not in PIXEL_ZERO_POINT:
        return 1.0, 0
    limits = np.iinfo(tensor.dtype)
    if not (math.isfinite(tensor.scale) and tensor.scale > 0):
        raise _mismatch(path, f"head {name} has the invalid quantization scale {tensor.scale}")
    if not limits.min <= tensor.zero_point <= limits.max:
        raise _mismatch(path, f"head {name} has the invalid zero point {tensor.zero_point}")
    return tensor.scale, tensor.zero_point


def _mismatch(path: str, problem: str) -> ModelError:
    return ModelError(path, problem, "Convert the original checkpoint again with tallylens convert")
