"""What every emitter asks of a node: its attributes, its constants, and what is wrong with it."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from ...edge_runtime.types import FloatArray

# Coordinate transformation and rounding under which doubling copies each pixel.
_ROUNDINGS_OF_A_COPY = {
    "asymmetric": ("floor", "round_prefer_floor"),
    "half_pixel": ("round_prefer_floor", "round_prefer_ceil"),
}


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


def copies_pixels(node: ir.Node) -> bool:
    """Whether a Resize is nearest-neighbour and, when it doubles, repeats every pixel."""
    mode = text(node, "coordinate_transformation_mode", "half_pixel")
    rounding = text(node, "nearest_mode", "round_prefer_floor")
    nearest = text(node, "mode", "nearest") == "nearest"
    return nearest and rounding in _ROUNDINGS_OF_A_COPY.get(mode, ())


def concat_problem(node: ir.Node) -> str | None:
    """What is wrong with a Concat."""
    return None if int(number(node, "axis", 0)) in (1, -3) else "only channels can be joined"


def same_shapes(node: ir.Node) -> str | None:
    """What is wrong with an operator of two equal shapes."""
    first, second = node.inputs
    if first is None or second is None or first.shape != second.shape:
        return "both inputs must have one known shape"
    return None


def nothing(_node: ir.Node) -> str | None:
    """Nothing can be wrong with an operator that is applied value by value."""
    return None
