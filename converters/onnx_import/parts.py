"""Some channels of a feature map, as cheaply as possible.

Exporters split what a convolution gives. The convolution is cut instead: one for each part costs as
much as the whole, and the whole is left out where nothing else reads it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from ...edge_runtime.types import FloatArray
from ..builder import GraphBuilder
from ..operators import ACTIVATIONS
from ..shapes import constant, integers, size_of

MAX_DEPTH = 8
_POINTWISE = {*ACTIVATIONS, "Mul", "Add"}
Rows = tuple[int, ...]


class Parts:
    """Cuts the operators that make a map; each cut is made once."""

    def __init__(self, builder: GraphBuilder) -> None:
        self._builder = builder
        self._made: dict[tuple[int, Rows], ir.Value] = {}

    def take(self, x: ir.Value, rows: Sequence[int], depth: int = 0) -> ir.Value:
        """The channels `rows` of `x`, in this order."""
        key = id(x), tuple(rows)
        if key[1] == tuple(range(size_of(x)[0])):
            return x
        if key not in self._made:
            self._made[key] = self._cut(x, key[1], depth)
        return self._made[key]

    def _cut(self, x: ir.Value, rows: Rows, depth: int) -> ir.Value:
        node = x.producer()
        if node is None or depth > MAX_DEPTH:
            return self._selected(x, rows)
        if node.op_type == "Conv" and _groups(node) == 1:
            return self._conv(node, rows)
        if node.op_type in _POINTWISE:
            inputs = [value for value in node.inputs if value is not None]
            if all(size_of(value) == size_of(x) for value in inputs):
                parts = [self.take(value, rows, depth + 1) for value in inputs]
                return self._builder.add(node.op_type, f"{node.name}.part", parts, node.attributes)
        return self._selected(x, rows)

    def _conv(self, node: ir.Node, rows: Rows) -> ir.Value:
        source = node.inputs[0]
        assert source is not None
        has_bias = len(node.inputs) > 2 and node.inputs[2] is not None
        return self._builder.conv(
            f"{node.name}.part",
            source,
            constant(node, 1)[list(rows)],
            constant(node, 2)[list(rows)] if has_bias else None,
            strides=integers(node, "strides", (1, 1)),
            pads=integers(node, "pads", (0, 0, 0, 0)),
            dilations=integers(node, "dilations", (1, 1)),
        )

    def _selected(self, x: ir.Value, rows: Rows) -> ir.Value:
        """A convolution of zeros and ones."""
        weight = np.zeros((len(rows), size_of(x)[0], 1, 1), np.float32)
        weight[range(len(rows)), list(rows)] = 1
        return self._builder.conv(f"{x.name}.part", x, weight, np.zeros(len(rows), np.float32))


def scaled(
    builder: GraphBuilder, name: str, x: ir.Value, factor: FloatArray, offset: FloatArray
) -> ir.Value:
    """x * factor + offset, each one number or one per channel."""
    made = _made_again(builder, x, factor.ravel(), offset.ravel(), readers=0)
    if made is not None:
        return made
    channels = size_of(x)[0]
    weight = np.broadcast_to(factor.astype(np.float32).ravel(), channels)
    bias = np.broadcast_to(offset.astype(np.float32).ravel(), channels)
    return builder.conv(name, x, weight.reshape(channels, 1, 1, 1), bias, group=channels)


def _made_again(
    builder: GraphBuilder, x: ir.Value, factor: FloatArray, offset: FloatArray, readers: int
) -> ir.Value | None:
    """`x` made again with the numbers in its weights; None where more than `readers` read it.

    The operators that made it before are left out of the graph, as nothing reads them any more.
    """
    node = x.producer()
    if node is None or len(list(x.uses())) > readers:
        return None
    if node.op_type == "Conv":
        return _conv_again(builder, node, factor, offset)
    if node.op_type in ("MatMul", "Reshape", "Transpose") and factor.size == 1 and not offset.any():
        first, *others = node.inputs
        source = None if first is None else _made_again(builder, first, factor, offset, readers=1)
        if source is not None:
            return builder.add(
                node.op_type, f"{node.name}.scaled", [source, *others], node.attributes
            )
    return None


def _conv_again(
    builder: GraphBuilder, node: ir.Node, factor: FloatArray, offset: FloatArray
) -> ir.Value:
    weight, source = constant(node, 1), node.inputs[0]
    assert source is not None
    zero = np.zeros(len(weight), np.float32)
    bias = constant(node, 2) if len(node.inputs) > 2 else zero
    return builder.conv(
        f"{node.name}.scaled",
        source,
        weight * factor.reshape(-1, 1, 1, 1),
        bias * factor + offset,
        strides=integers(node, "strides", (1, 1)),
        pads=integers(node, "pads", (0, 0, 0, 0)),
        dilations=integers(node, "dilations", (1, 1)),
        group=_groups(node),
    )


def _groups(node: ir.Node) -> int:
    return node.attributes["group"].as_int() if "group" in node.attributes else 1
