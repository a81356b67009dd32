"""DetectorGraph to a .onnx file: opset 17, float32, or float16 inside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from ...edge_runtime.errors import UnsupportedModelError
from ...edge_runtime.metadata import METADATA_KEY
from ..graph import OPSET, DetectorGraph

# The version that ONNX Runtime has read since opset 17 exists.
_IR_VERSION = 8
_BATCH = "batch"


def emit_onnx(graph: DetectorGraph, *, half: bool = False, dynamic_batch: bool = False) -> bytes:
    """The .onnx file's bytes; the same graph gives the same bytes.

    Input `images` (batch, 3, h, w) float32 RGB in 0..1, outputs named and ordered by the
    metadata's head names, (batch, na * (5 + nc), h / stride, w / stride) float32 logits.

    Args:
        graph: stays as it is.
        half: weights and arithmetic in float16; input and outputs stay float32.
        dynamic_batch: leave the first dimension open, whatever the graph says.

    Raises:
        UnsupportedModelError: a weight is too large for float16.
    """
    metadata = replace(
        graph.metadata,
        layout="NCHW",
        quantization="fp16" if half else graph.metadata.quantization,
    )
    model = graph.model.clone(deep_copy=True)
    if half:
        _to_half(model.graph, metadata.source_name)
    if dynamic_batch:
        _open_batch(model.graph)
    model.ir_version = _IR_VERSION
    model.opset_imports[""] = OPSET
    model.producer_name, model.producer_version, model.doc_string = (
        "tallylens",
        None,
        None,
    )
    model.metadata_props.clear()
    model.metadata_props[METADATA_KEY] = metadata.to_json()
    return bytes(ir.to_proto(model).SerializeToString(deterministic=True))


def _open_batch(graph: ir.Graph) -> None:
    """Name the first dimension of the input and of every activation."""
    for value in (
        *graph.inputs,
        *(output for node in graph for output in node.outputs),
    ):
        if value.shape is not None and len(value.shape) == 4:
            value.shape = ir.Shape([_BATCH, *value.shape[1:]])


def _to_half(graph: ir.Graph, source_name: str) -> None:
    """Weights and activations to float16, with a Cast behind the input and before each output."""
    for node in graph:
        for output in node.outputs:
            output.type = ir.TensorType(ir.DataType.FLOAT16)
    for value in graph.initializers.values():
        # The factors of a Resize are float32 by its definition.
        if not any(node.op_type == "Resize" for node, _ in value.uses()):
            _weights_to_half(value, source_name)
    for value in graph.inputs:
        _cast_input(graph, value)
    for index, value in enumerate(graph.outputs):
        graph.outputs[index] = _cast_output(graph, value)


def _weights_to_half(value: ir.Value, source_name: str) -> None:
    assert value.const_value is not None
    weights = value.const_value.numpy()
    if weights.dtype != np.float32:
        return
    if np.abs(weights).max(initial=0) > np.finfo(np.float16).max:
        raise UnsupportedModelError(
            source_name or "model",
            f"the weights {value.name} are too large for float16",
            "Convert with --quantize none",
        )
    value.const_value = ir.tensor(weights.astype(np.float16), name=value.name)
    value.type = ir.TensorType(ir.DataType.FLOAT16)


def _cast(value: ir.Value, to: ir.DataType, name: str) -> ir.Node:
    output = ir.Value(name=name, shape=value.shape, type=ir.TensorType(to))
    return ir.node("Cast", [value], {"to": to}, outputs=[output], name=f"{name}/Cast")


def _cast_input(graph: ir.Graph, value: ir.Value) -> None:
    uses = list(value.uses())
    cast = _cast(value, ir.DataType.FLOAT16, f"{value.name}_fp16")
    for node, index in uses:
        node.replace_input_with(index, cast.outputs[0])
    graph.insert_before(graph[0], cast)


def _cast_output(graph: ir.Graph, value: ir.Value) -> ir.Value:
    """The float32 value that takes over the output's name."""
    name = str(value.name)
    value.name = f"{name}_fp16"
    cast = _cast(value, ir.DataType.FLOAT, name)
    graph.append(cast)
    return cast.outputs[0]
