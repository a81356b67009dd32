"""A detector graph as a TensorFlow function whose weights can be trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from ...edge_runtime.types import FloatArray
from ..emit.tflite_conv import convolve
from ..emit.tflite_ops import LOWERINGS
from ..emit.tflite_writer import Tensor, Writer
from ..emit.unsupported import refuse_unsupported
from ..graph import INPUT_NAME, DetectorGraph
from ..prune.channel_removal import copy_of, set_weights, weights_of
from ..prune.channels import is_depthwise
from ..shapes import integers

Weights = dict[str, FloatArray]


def read_weights(graph: DetectorGraph) -> Weights:
    """Every Conv's kernel (kh, kw, in, out) and bias (out,), under NAME:kernel and NAME:bias."""
    found: Weights = {}
    for node in _convs(graph):
        weight, bias = weights_of(node)
        found[f"{node.name}:kernel"] = np.ascontiguousarray(weight.transpose(2, 3, 1, 0))
        found[f"{node.name}:bias"] = bias.copy()
    return found


def write_weights(graph: DetectorGraph, weights: Mapping[str, FloatArray]) -> DetectorGraph:
    """A copy of `graph` with the weights that `read_weights` would read."""
    written = copy_of(graph)
    for node in _convs(written):
        kernel = weights[f"{node.name}:kernel"]
        set_weights(written.model, node, kernel.transpose(3, 2, 0, 1), weights[f"{node.name}:bias"])
    return written


def forward(
    tf: Any,
    graph: DetectorGraph,
    images: Tensor,
    weights: Mapping[str, Tensor],
    also: Sequence[str] = (),
) -> list[Tensor]:
    """The heads (n, h, w, na * (5 + nc)) of `images` (n, h, w, 3) in 0..1, traced.

    `weights` as in `read_weights`, tensors or variables. Behind the heads come the values `also`,
    by name, (n, h, w, channels).
    """
    tensors: dict[str, Tensor] = {INPUT_NAME: images}
    # Weights of other nodes than convolutions are not trained.
    writer = Writer(tf, lambda weights, _source, _by_channel: tf.constant(weights))
    silu = _silu(tf)
    for node in graph.model.graph:
        inputs = [tensors[str(v.name)] for v in node.inputs if v and str(v.name) in tensors]
        gated = _gated_by_its_sigmoid(node)
        if node.op_type == "Conv":
            made = _conv(tf, node, inputs[0], weights)
        elif gated is not None:
            made = silu(tensors[gated])
        else:
            made = LOWERINGS[node.op_type].emit(writer, node, inputs)
        tensors[str(node.outputs[0].name)] = made
    return [tensors[name] for name in (*graph.metadata.head_names, *also)]


def _conv(tf: Any, node: ir.Node, source: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
    """A Conv with weights from outside, which no lowering may rearrange."""
    kernel, bias = weights[f"{node.name}:kernel"], weights[f"{node.name}:bias"]
    strides, pads = integers(node, "strides", (1, 1)), integers(node, "pads", (0, 0, 0, 0))
    if tuple(kernel.shape[:2]) == (1, 1) and not any(pads) and strides != (1, 1):
        # The same pixels; the gradient of a 1x1 kernel with a stride writes beyond its memory in
        # TensorFlow's oneDNN for AVX-512.
        source, strides = source[:, :: strides[0], :: strides[1]], (1, 1)
    product = convolve(tf, source, kernel, strides, pads, depthwise=is_depthwise(node))
    return tf.nn.bias_add(product, bias)


def _silu(tf: Any) -> Callable[[Tensor], Tensor]:
    """x * sigmoid(x) whose gradient needs fewer passes over memory than that of its parts."""

    def function(x: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        gate = tf.sigmoid(x)
        y = x * gate
        return y, lambda above: above * gate * (1 + x - y)

    made: Callable[[Tensor], Tensor] = tf.custom_gradient(function)
    return made


def _gated_by_its_sigmoid(node: ir.Node) -> str | None:
    """The name of x where `node` is x * sigmoid(x)."""
    if node.op_type != "Mul":
        return None
    for value, other in (node.inputs, node.inputs[::-1]):
        gate = other.producer() if other is not None else None
        if value is not None and gate and gate.op_type == "Sigmoid" and gate.inputs[0] is value:
            return str(value.name)
    return None


def refuse_untrainable(graph: DetectorGraph) -> None:
    """Raise UnsupportedModelError where TensorFlow cannot hold a node."""
    refuse_unsupported(graph, "Recovery", {op: low.problem for op, low in LOWERINGS.items()})


def _convs(graph: DetectorGraph) -> list[ir.Node]:
    return [node for node in graph.model.graph if node.op_type == "Conv"]
