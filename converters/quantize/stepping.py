"""Runs a graph node by node, in ONNX Runtime."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import onnx_ir as ir

from ...edge_runtime.errors import MissingExtraError
from ...edge_runtime.types import FloatArray
from ..graph import INPUT_NAME, OPSET, DetectorGraph
from ..operators import set_input
from .scheme import name_of


def resized(graph: DetectorGraph, batch: FloatArray) -> DetectorGraph:
    """A copy of `graph` for `batch` (n, 3, height, width), of another size than its own."""
    model = graph.model.clone(deep_copy=True)
    set_input(model, (batch.shape[2], batch.shape[3]), len(batch))
    return DetectorGraph(model, graph.metadata)


def walk(graph: DetectorGraph, batch: FloatArray) -> Iterator[tuple[ir.Node, list[FloatArray]]]:
    """Each node in order with the values that it reads; they live until their last use.

    `batch`: (n, 3, height, width) float32 0..1.
    """
    values = {INPUT_NAME: batch}
    uses = Counter(name_of(v) for node in graph.model.graph for v in node.inputs if v)
    for node in graph.model.graph:
        sources = [name_of(v) for v in node.inputs if v and v.const_value is None]
        inputs = {name: values[name] for name in sources}
        yield node, list(inputs.values())
        values[name_of(node.outputs[0])] = run_node(node, inputs)
        for name in sources:
            uses[name] -= 1
            if not uses[name]:
                values.pop(name, None)


def _constants(node: ir.Node) -> dict[str, FloatArray]:
    return {
        name_of(value): value.const_value.numpy()
        for value in node.inputs
        if value is not None and value.const_value is not None
    }


def run_node(node: ir.Node, inputs: Mapping[str, FloatArray]) -> FloatArray:
    """The output of one node."""
    onnx, runtime = libraries()
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    proto = ir.to_proto(node)
    body = helper.make_graph(
        [proto],
        "step",
        [helper.make_tensor_value_info(n, kind, [None] * a.ndim) for n, a in inputs.items()],
        [helper.make_tensor_value_info(proto.output[0], kind, None)],
        [onnx.numpy_helper.from_array(array, name) for name, array in _constants(node).items()],
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    session = runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    result: FloatArray = session.run(None, dict(inputs))[0]
    return result


def libraries() -> tuple[Any, Any]:
    """The modules onnx and onnxruntime.

    Raises:
        MissingExtraError: one of them is not installed.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("onnxruntime", "convert", "Calibration") from error
    return onnx, onnxruntime
