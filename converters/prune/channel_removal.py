"""Channels taken out of a graph, and new weights put in."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx_ir as ir

from ...edge_runtime.types import FloatArray
from ..graph import DetectorGraph
from ..operators import set_input
from ..passes.rewrite import new_constant, remove_unused_constants
from ..shapes import constant
from .channels import Channels, groups_of, is_depthwise


def copy_of(graph: DetectorGraph) -> DetectorGraph:
    """The same graph with a model of its own."""
    return DetectorGraph(graph.model.clone(deep_copy=True), graph.metadata)


def remove_channels(
    graph: DetectorGraph, channels: Channels, removed: Collection[int]
) -> DetectorGraph:
    """A copy of `graph` without the channels `removed` (ids of `channels`)."""
    cut = copy_of(graph)
    gone = np.fromiter(removed, np.int64, len(removed))
    for node in [node for node in cut.model.graph if node.op_type == "Conv"]:
        left = ~np.isin(channels.ids[str(node.outputs[0].name)], gone)
        weight, bias = weights_of(node)
        weight, bias = weight[left], bias[left]
        source = node.inputs[0]
        assert source is not None
        if groups_of(node) == 1:
            weight = weight[:, ~np.isin(channels.ids[str(source.name)], gone)]
        elif is_depthwise(node):
            node.attributes["group"] = ir.AttrInt64("group", int(left.sum()))
        set_weights(cut.model, node, weight, bias)
    images = cut.model.graph.inputs[0]
    assert images.shape is not None
    batch = images.shape[0] if isinstance(images.shape[0], int) else None
    set_input(cut.model, cut.metadata.input_size, batch)
    return cut


def weights_of(conv: ir.Node) -> tuple[FloatArray, FloatArray]:
    """Weights (out, in / group, kh, kw) and bias (out,) of a Conv; no bias is zero."""
    weight = constant(conv, 1)
    bias = constant(conv, 2) if len(conv.inputs) > 2 else np.zeros(len(weight), np.float32)
    return weight, bias


def set_weights(model: ir.Model, conv: ir.Node, weight: FloatArray, bias: FloatArray) -> None:
    """Give a Conv other weights and bias, under the names of the old ones."""
    names = [
        str(value.name) if value is not None else f"{conv.name}.{part}"
        for value, part in zip([*conv.inputs[1:3], None][:2], ("weight", "bias"), strict=True)
    ]
    inputs = [
        new_constant(model, name, np.asarray(array, np.float32))
        for name, array in zip(names, (weight, bias), strict=True)
    ]
    conv.resize_inputs(3)
    for index, value in enumerate(inputs, start=1):
        conv.replace_input_with(index, value)
    remove_unused_constants(model)
