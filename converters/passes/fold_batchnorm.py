"""Folds batch normalization into the convolutions before it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from ..graph import DetectorGraph
from ..shapes import constant
from .rewrite import new_constant, remove_unused_constants, replace_node

Doubles = npt.NDArray[np.float64]


class FoldBatchNorm:
    """Makes batch normalization, which is linear, part of what comes before it.

    Given:

        x ── Conv(w, b) ── BatchNormalization(gain, shift, mean, variance) ── y

    Result, with scale = gain / sqrt(variance + epsilon), computed in float64:

        x ── Conv(w * scale, (b - mean) * scale + shift) ── y

    A Concat of convolutions before it (BottleneckCSP) gives each convolution its own channels.
    Anything else becomes a 1x1 convolution of each channel by itself.
    """

    name = "fold_batchnorm"

    def __call__(self, graph: DetectorGraph) -> DetectorGraph:
        """Change `graph.model` in place; the pass is recorded if it found something."""
        nodes = [node for node in graph.model.graph if node.op_type == "BatchNormalization"]
        for node in nodes:
            _fold(graph.model, node)
        if not nodes:
            return graph
        remove_unused_constants(graph.model)
        return graph.with_pass(self.name, nodes=len(nodes))


def _fold(model: ir.Model, node: ir.Node) -> None:
    gain, shift, mean, variance = (constant(node, i).astype(np.float64) for i in range(1, 5))
    epsilon = node.attributes["epsilon"].as_float() if "epsilon" in node.attributes else 1e-5
    scale = gain / np.sqrt(variance + epsilon)
    offset = shift - mean * scale
    before = node.inputs[0]
    assert before is not None
    convs = _sole_convs(before)
    if not convs:
        _depthwise(model, node, scale, offset)
        return
    start = 0
    for conv in convs:
        channels = constant(conv, 1).shape[0]
        part = slice(start, start + channels)
        _scale_conv(model, conv, scale[part], offset[part])
        start += channels
    # The input as it is now: its convolutions were just replaced.
    folded, after = node.inputs[0], node.outputs[0]
    assert folded is not None
    if after.is_graph_output():
        folded.name, after.name = after.name, folded.name
    ir.convenience.replace_all_uses_with(after, folded, replace_graph_outputs=True)
    model.graph.remove(node, safe=True)


def _sole_convs(value: ir.Value) -> list[ir.Node]:
    """The convolutions whose channels, joined, are `value` and go nowhere else; else none."""
    producer = value.producer()
    if producer is None or len(value.uses()) != 1 or value.is_graph_output():
        return []
    if producer.op_type == "Conv":
        return [producer]
    if producer.op_type != "Concat":
        return []
    parts = [_sole_convs(part) for part in producer.inputs if part is not None]
    return [conv for part in parts for conv in part] if all(parts) else []


def _scale_conv(model: ir.Model, conv: ir.Node, scale: Doubles, offset: Doubles) -> None:
    weight = constant(conv, 1).astype(np.float64) * scale[:, None, None, None]
    bias = offset
    if len(conv.inputs) > 2:
        bias = constant(conv, 2).astype(np.float64) * scale + offset
    stem = str(conv.inputs[1].name).removesuffix(".weight") if conv.inputs[1] else "conv"
    inputs = [
        conv.inputs[0],
        new_constant(model, f"{stem}.weight", weight.astype(np.float32)),
        new_constant(model, f"{stem}.bias", bias.astype(np.float32)),
    ]
    replace_node(model, conv, ir.node("Conv", inputs, conv.attributes, name=conv.name))


def _depthwise(model: ir.Model, node: ir.Node, scale: Doubles, offset: Doubles) -> None:
    stem = f"{node.name}.folded"
    inputs = [
        node.inputs[0],
        new_constant(model, f"{stem}.weight", scale[:, None, None, None].astype(np.float32)),
        new_constant(model, f"{stem}.bias", offset.astype(np.float32)),
    ]
    attributes: dict[str, int | tuple[int, ...]] = {
        "kernel_shape": (1, 1),
        "strides": (1, 1),
        "pads": (0, 0, 0, 0),
        "dilations": (1, 1),
        "group": len(scale),
    }
    replace_node(model, node, ir.node("Conv", inputs, attributes, name=node.name))
