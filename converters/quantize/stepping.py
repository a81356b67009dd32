"""Running a graph node by node, with the old and with new weights side by side."""

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
from .scheme import name_of


@dataclass
class Step:
    """One node with its inputs of both sides.

    What is put into `constants` is what the second side runs with.
    """

    node: ir.Node
    inputs: list[FloatArray]
    quantised: list[FloatArray]
    constants: dict[str, FloatArray]


class SideBySide:
    """Walks the nodes of `graph` in order; values live until their last use.

    Iterating gives a `Step` for each node, and runs it when the next one is asked for.
    """

    def __init__(self, graph: DetectorGraph, batch: FloatArray) -> None:
        self._graph = graph
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
) -> FloatArray:
    """The output of one node."""
    onnx, runtime = libraries()
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    proto = ir.to_proto(node)
    constants = _constants(node) if constants is None else constants
    body = helper.make_graph(
        [proto],
        "step",
        [helper.make_tensor_value_info(n, kind, [None] * a.ndim) for n, a in inputs.items()],
        [helper.make_tensor_value_info(proto.output[0], kind, None)],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
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
