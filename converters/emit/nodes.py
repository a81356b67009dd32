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


def copies_pixels(node: ir.Node) -> bool:
    """Whether a Resize is nearest-neighbor and, when it doubles, repeats every pixel."""
    return doubling_repeats_pixels(
        text(node, "mode", "nearest"),
        text(node, "coordinate_transformation_mode", "half_pixel"),
        text(node, "nearest_mode", "round_prefer_floor"),
    )


def concat_problem(node: ir.Node) -> str | None:
    """The problem of a Concat along another axis than the channels, or None."""
    return None if int(number(node, "axis", 0)) in (1, -3) else "only channels can be joined"


def same_shapes(node: ir.Node) -> str | None:
    """The problem of an elementwise operator whose two inputs differ in shape, or None."""
    first, second = node.inputs
    if first is None or second is None or first.shape != second.shape:
        return "both inputs must have one known shape"
    return None


def nothing(_node: ir.Node) -> str | None:
    """None: an operator that is applied value by value can always be written."""
    return None
