"""Attributes and constants of nodes, and the problems that emitters share."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from ...edge_runtime.types import FloatArray
from ..shapes import doubling_repeats_pixels


def text(node: ir.Node, name: str, default: str) -> str:
    """A text attribute, or `default` where the node has none."""
    attribute = node.attributes.get(name)
    return default if attribute is None else str(attribute.value)


def number(node: ir.Node, name: str, default: float) -> float:
    """A number attribute, or `default` where the node has none."""
    attribute = node.attributes.get(name)
    return default if attribute is None else float(attribute.value)


def constant_or_none(node: ir.Node, index: int) -> FloatArray | None:
    """The constant that is input `index`, None where there is no input or it is computed."""
    value = node.inputs[index] if index < len(node.inputs) else None
    if value is None or value.const_value is None:
        return None
    return np.asarray(value.const_value.numpy(), np.float32)


def bias_or_zero(node: ir.Node) -> FloatArray | None:
    """The bias of a convolution, zeros where it has none; None where it is computed."""
    kernel = constant_or_none(node, 1)
    if kernel is not None and (len(node.inputs) < 3 or node.inputs[2] is None):
        return np.zeros(len(kernel), np.float32)
    return constant_or_none(node, 2)


def copies_pixels(node: ir.Node) -> bool:
    """Whether a Resize is nearest-neighbor and, when it doubles, repeats every pixel."""
    return doubling_repeats_pixels(
        text(node, "mode", "nearest"),
        text(node, "coordinate_transformation_mode", "half_pixel"),
        text(node, "nearest_mode", "round_prefer_floor"),
    )


def conv_problem(node: ir.Node) -> str | None:
    """The problem of a convolution with computed weights, of other rank, or padded by itself."""
    kernel, bias = constant_or_none(node, 1), bias_or_zero(node)
    if kernel is None or bias is None:
        return "its kernel and bias must be constants"
    if kernel.ndim != 4:
        return "only 2-D convolutions are known"
    if text(node, "auto_pad", "NOTSET") != "NOTSET":
        return "its padding must be explicit"
    return None


def concat_problem(node: ir.Node) -> str | None:
    """The problem of a Concat along another axis than the channels, or None."""
    return None if int(number(node, "axis", 0)) in (1, -3) else "only channels can be joined"


def same_shapes(node: ir.Node) -> str | None:
    """The problem of an elementwise operator whose two inputs differ in shape, or None."""
    first, second = node.inputs
    if first is None or second is None or first.shape != second.shape:
        return "both inputs must have one known shape"
    return None


def one_gates_the_other(node: ir.Node) -> str | None:
    """The problem of a product of two maps that neither have one shape nor are map and gate."""
    first, second = node.inputs
    if first is None or second is None or first.shape is None or second.shape is None:
        return "both inputs must have a known shape"
    sides = {tuple(value.shape.dims[2:]) for value in (first, second) if value.shape}
    same_channels = first.shape[1] == second.shape[1]
    return None if same_channels and (len(sides) == 1 or (1, 1) in sides) else same_shapes(node)


def plain_transposed_conv(node: ir.Node) -> str | None:
    """The problem of a transposed convolution with computed weights or special settings."""
    kernel, bias = constant_or_none(node, 1), constant_or_none(node, 2)
    if kernel is None or bias is None or kernel.ndim != 4:
        return "its kernel and bias must be constants"
    special = {"dilations", "output_padding", "output_shape"} & set(node.attributes)
    if special or text(node, "auto_pad", "NOTSET") != "NOTSET":
        return "only plain transposed convolutions are known"
    return None


def over_columns(node: ir.Node) -> str | None:
    """The problem of a softmax over another side than the columns, or None."""
    return None if int(number(node, "axis", -1)) in (-1, 3) else "only over the columns"


def nothing(_node: ir.Node) -> str | None:
    """None: an operator that is applied value by value can always be written."""
    return None
