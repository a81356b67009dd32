"""Running a graph node by node, in float and quantised side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from ...edge_runtime.errors import MissingExtraError
from ...edge_runtime.types import FloatArray
from ..graph import INPUT_NAME, OPSET, DetectorGraph
from .scheme import Ranges, name_of


@dataclass
class Step:
    """One node with its inputs in both forms; `constants` may be replaced before `finish`."""

    node: ir.Node
    inputs: list[FloatArray]
    quantised: list[FloatArray]
    constants: dict[str, FloatArray]


class SideBySide:
    """Walks the nodes of `graph` in order; values live until their last use.

    `ranges` are those that the quantised side is rounded to; a value without range is not
    rounded. Iterating gives a `Step` for each node, and runs it when the next one is asked for.
    """

    def __init__(self, graph: DetectorGraph, ranges: Ranges, batch: FloatArray) -> None:
        self._graph, self._ranges = graph, ranges
        self._values = {INPUT_NAME: batch}
        self._quantised = {INPUT_NAME: batch}
        self._uses = Counter(
            name_of(value) for node in graph.model.graph for value in node.inputs if value
        )

    def __iter__(self) -> Iterator[Step]:
        for node in self._graph.model.graph:
            sources = [name_of(v) for v in node.inputs if v and v.const_value is None]
            step = Step(
                node,
                [self._values[name] for name in sources],
                [self._quantised[name] for name in sources],
                _constants(node),
            )
            yield step
            name = name_of(node.outputs[0])
            self._values[name] = run_node(node, dict(zip(sources, step.inputs, strict=True)))
            self._quantised[name] = run_node(
                node,
                dict(zip(sources, step.quantised, strict=True)),
                step.constants,
                self._ranges.get(name),
            )
            self._forget(sources)

    def _forget(self, names: list[str]) -> None:
        for name in names:
            self._uses[name] -= 1
            if not self._uses[name]:
                self._values.pop(name, None)
                self._quantised.pop(name, None)


def _constants(node: ir.Node) -> dict[str, FloatArray]:
    return {
        name_of(value): value.const_value.numpy()
        for value in node.inputs
        if value is not None and value.const_value is not None
    }


def run_node(
    node: ir.Node,
    inputs: Mapping[str, FloatArray],
    constants: Mapping[str, FloatArray] | None = None,
    limits: tuple[float, float] | None = None,
) -> FloatArray:
    """The output of one node, rounded to 256 steps between `limits`."""
    onnx, runtime = _libraries()
    helper, constants = onnx.helper, constants or _constants(node)
    proto = onnx.NodeProto()
    proto.CopyFrom(ir.to_proto(node))
    name = proto.output[0]
    nodes, tensors = [proto], [onnx.numpy_helper.from_array(a, n) for n, a in constants.items()]
    if limits is not None:
        scale, zero = grid(limits)
        tensors += [
            onnx.numpy_helper.from_array(np.array(scale, np.float32), "scale"),
            onnx.numpy_helper.from_array(np.array(zero, np.int8), "zero"),
        ]
        nodes += [
            helper.make_node("QuantizeLinear", [name, "scale", "zero"], ["whole"]),
            helper.make_node("DequantizeLinear", ["whole", "scale", "zero"], ["rounded"]),
        ]
        name = "rounded"
    kind = onnx.TensorProto.FLOAT
    body = helper.make_graph(
        nodes,
        "step",
        [helper.make_tensor_value_info(n, kind, [None] * a.ndim) for n, a in inputs.items()],
        [helper.make_tensor_value_info(name, kind, None)],
        tensors,
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    result: FloatArray = session.run(None, dict(inputs))[0]
    return result


def grid(limits: tuple[float, float]) -> tuple[float, int]:
    """Step and zero point of the int8 grid over a range that holds zero."""
    low, high = limits
    scale = max(high - low, 1e-6) / 255
    return scale, int(np.clip(round(-128 - low / scale), -128, 127))


def _libraries() -> tuple[Any, Any]:
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("onnxruntime", "convert", "Calibration") from error
    return onnx, onnxruntime
