"""Runs a graph node by node over all images, so that weights may change between nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from ...edge_runtime.errors import MissingExtraError
from ...edge_runtime.types import FloatArray, Image
from ..graph import INPUT_NAME, DetectorGraph
from ..quantize.statistics import to_input

Visit = Callable[[ir.Node, Sequence[FloatArray]], None]


def walk(
    graph: DetectorGraph, images: Sequence[Image], visit: Visit
) -> dict[str, list[FloatArray]]:
    """Run `graph` over `images` (h, w, 3) uint8 RGB; the heads by name, one array per image.

    `visit` receives each Conv and its inputs (1, c, h, w), one per image, before it runs, and may
    give it other weights.
    """
    uses = Counter(
        str(value.name) for node in graph.model.graph for value in node.inputs if value is not None
    )
    uses.update(str(value.name) for value in graph.model.graph.outputs)
    values: dict[str, list[FloatArray]] = {INPUT_NAME: [to_input(image) for image in images]}
    for node in graph.model.graph:
        names = [str(v.name) for v in node.inputs if v is not None and v.const_value is None]
        if node.op_type == "Conv":
            visit(node, values[names[0]])
        values[str(node.outputs[0].name)] = _run(node, names, values)
        for name in names:
            uses[name] -= 1
            if not uses[name]:
                values.pop(name, None)
    return {name: values[name] for name in graph.metadata.head_names}


def _run(
    node: ir.Node, names: Sequence[str], values: dict[str, list[FloatArray]]
) -> list[FloatArray]:
    session = _session_of(node)
    distinct = list(dict.fromkeys(names))
    return [
        np.asarray(session.run(None, dict(zip(distinct, arrays, strict=True)))[0])
        for arrays in zip(*(values[name] for name in distinct), strict=True)
    ]


def _session_of(node: ir.Node) -> Any:
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError("onnx", "convert", "Pruning") from error
    from ..graph import OPSET

    known = [v for v in node.inputs if v is not None and v.const_value is not None]
    free = dict.fromkeys(
        str(v.name) for v in node.inputs if v is not None and v.const_value is None
    )
    any_map = [None, None, None, None]
    proto = onnx.helper.make_graph(
        [ir.to_proto(node)],
        "node",
        [onnx.helper.make_tensor_value_info(name, 1, any_map) for name in free],
        [onnx.helper.make_tensor_value_info(str(node.outputs[0].name), 1, any_map)],
        [
            onnx.numpy_helper.from_array(v.const_value.numpy(), str(v.name))
            for v in known
            if v.const_value is not None
        ],
    )
    model = onnx.helper.make_model(
        proto, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=8
    )
    return open_session(model.SerializeToString())


def open_session(content: bytes) -> Any:
    """An ONNX Runtime session on the CPU, without notices."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("onnxruntime", "convert", "Pruning") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Waiting threads that spin keep the linear algebra in between from the cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
