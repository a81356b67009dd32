"""Rewrites the Focus stem of YOLOv5 up to 5.0 as one convolution."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from ..graph import DetectorGraph
from ..shapes import constant, integers
from .rewrite import new_constant, remove_unused_constants, replace_node

CORNERS = ((0, 0), (1, 0), (0, 1), (1, 1))


class FocusToConv:
    """Slices, Concat and a 3x3 convolution are exactly one 6x6 convolution of stride 2.

    Given (r and c are 0 or 1, in any order):

            ┌─ Slice [r::2, c::2] ─┐
        x ──┤   (one or two steps)  ├─ Concat ── Conv 3x3, stride 1, padding 1 ── y
            └─ three more ─────────┘

    Result, where w6[:, :, 2u + r, 2v + c] is w3[:, (block of r, c), u, v]:

        x ── Conv 6x6, stride 2, padding 2 ── y
    """

    name = "focus_to_conv"

    def __call__(self, graph: DetectorGraph) -> DetectorGraph:
        """Change `graph.model` in place; the pass is recorded if it found something."""
        stems = [node for node in graph.model.graph if self._rewrite(graph.model, node)]
        if not stems:
            return graph
        remove_unused_constants(graph.model)
        return graph.with_pass(self.name, nodes=len(stems))

    def _rewrite(self, model: ir.Model, conv: ir.Node) -> bool:
        joined = _joined(conv)
        if joined is None:
            return False
        corners = [_corner(part) for part in joined.inputs]
        if sorted(corner for _, corner in corners) != sorted(CORNERS):
            return False
        source = corners[0][0]
        if any(value is not source for value, _ in corners):
            return False
        weight = _widened(constant(conv, 1), [corner for _, corner in corners])
        _replace(model, conv, source, weight)
        _remove_unused(model, joined)
        return True


def _joined(conv: ir.Node) -> ir.Node | None:
    """The Concat of four before a plain 3x3 convolution."""
    if conv.op_type != "Conv" or conv.inputs[0] is None:
        return None
    joined = conv.inputs[0].producer()
    if joined is None or joined.op_type != "Concat" or len(joined.inputs) != 4:
        return None
    plain = (
        constant(conv, 1).shape[2:] == (3, 3)
        and integers(conv, "strides", (1, 1)) == (1, 1)
        and integers(conv, "pads", (0, 0, 0, 0)) == (1, 1, 1, 1)
        and integers(conv, "dilations", (1, 1)) == (1, 1)
        and ("group" not in conv.attributes or conv.attributes["group"].as_int() == 1)
    )
    return joined if plain else None


def _corner(value: ir.Value | None) -> tuple[ir.Value | None, tuple[int, int]]:
    """Behind its slices, the sliced value and the (row, column) at which they start."""
    starts = {2: -1, 3: -1}
    while value is not None and (node := value.producer()) and node.op_type == "Slice":
        numbers = [constant(node, index).ravel().tolist() for index in range(1, 5)]
        for start, end, axis, step in zip(*numbers, strict=True):
            if step != 2 or starts.get(axis) != -1 or end < 1 << 30:
                return value, (-1, -1)
            starts[axis] = start
        value = node.inputs[0]
    return value, (starts[2], starts[3])


def _widened(weight: np.ndarray, corners: list[tuple[int, int]]) -> np.ndarray:
    """(out, 4 * in, 3, 3) to (out, in, 6, 6)."""
    channels = weight.shape[1] // 4
    wide = np.zeros((weight.shape[0], channels, 6, 6), weight.dtype)
    for block, (row, column) in enumerate(corners):
        wide[:, :, row::2, column::2] = weight[:, block * channels : (block + 1) * channels]
    return wide


def _replace(model: ir.Model, conv: ir.Node, source: ir.Value | None, weight: np.ndarray) -> None:
    name = str(conv.inputs[1].name) if conv.inputs[1] else "focus.weight"
    attributes: dict[str, int | tuple[int, ...]] = {
        "kernel_shape": (6, 6),
        "strides": (2, 2),
        "pads": (2, 2, 2, 2),
        "dilations": (1, 1),
        "group": 1,
    }
    inputs = [source, new_constant(model, name, weight), *conv.inputs[2:]]
    replace_node(model, conv, ir.node("Conv", inputs, attributes, name=conv.name))


def _remove_unused(model: ir.Model, node: ir.Node) -> None:
    """Remove a node nobody reads, then those that only it read."""
    if node.outputs[0].uses() or node.outputs[0].is_graph_output():
        return
    producers = [value.producer() for value in node.inputs if value is not None]
    model.graph.remove(node, safe=True)
    for producer in producers:
        if producer is not None and producer.graph is not None:
            _remove_unused(model, producer)
