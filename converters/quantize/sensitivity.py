"""Sensitivity: the change of the heads when one value alone is quantized."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir

from ...edge_runtime.types import FloatArray
from ..graph import INPUT_NAME, DetectorGraph
from .scheme import Ranges, name_of
from .statistics import is_observed
from .stepping import libraries, resized

_LEAST_LOGIT = -7.0
# With so small a step and so wide a range, rounding changes nothing.
_EXACT = (np.float32(2.0**-20), np.float32(-3e4), np.float32(3e4))


def measure_sensitivity(
    graph: DetectorGraph,
    ranges: Ranges,
    image: FloatArray,
    on_value: Callable[[float], None] | None = None,
) -> dict[str, float]:
    """Root mean square change of the logits, by value name; only values with a rounding.

    Measured at half the height and width of `image` (1, 3, h, w), in its middle, and above
    logits of -7, below which scores are nothing.
    """
    names = [
        name_of(node.outputs[0])
        for node in graph.model.graph
        if is_observed(node) and name_of(node.outputs[0]) in ranges
    ]
    middle = _middle(image, max(graph.metadata.strides))
    session, feeds = _session(resized(graph, middle), names), _exact(names)
    feeds[INPUT_NAME] = middle
    float_heads = _logits(session, feeds)
    found: dict[str, float] = {}
    for done, name in enumerate(names, start=1):
        rounded = _logits(session, feeds | _rounding(name, ranges[name]))
        found[name] = float(np.sqrt(np.mean((rounded - float_heads) ** 2)))
        if on_value:
            on_value(done / len(names))
    return found


def _middle(image: FloatArray, stride: int) -> FloatArray:
    sides = [max(stride, side // 2 // stride * stride) for side in image.shape[2:]]
    top, left = ((have - side) // 2 for have, side in zip(image.shape[2:], sides, strict=True))
    return np.ascontiguousarray(image[:, :, top : top + sides[0], left : left + sides[1]])


def _exact(names: list[str]) -> dict[str, Any]:
    return {
        f"{name}::{key}": value
        for name in names
        for key, value in zip(("step", "low", "high"), _EXACT, strict=True)
    }


def _rounding(name: str, limits: tuple[float, float]) -> dict[str, Any]:
    scale, zero = rounding_grid(limits)
    low, high = np.float32((-128 - zero) * scale), np.float32((127 - zero) * scale)
    return {f"{name}::step": np.float32(scale), f"{name}::low": low, f"{name}::high": high}


def rounding_grid(limits: tuple[float, float]) -> tuple[float, int]:
    """Step and zero point of the int8 grid over a range that holds zero."""
    low, high = limits
    scale = max(high - low, 1e-6) / 255
    return scale, int(np.clip(round(-128 - low / scale), -128, 127))


def _logits(session: Any, feeds: dict[str, Any]) -> FloatArray:
    heads = session.run(None, {name: np.asarray(value) for name, value in feeds.items()})
    logits: FloatArray = np.concatenate([head.ravel() for head in heads])
    np.maximum(logits, _LEAST_LOGIT, out=logits)
    return logits


def _session(graph: DetectorGraph, names: list[str]) -> Any:
    """The graph with a rounding behind every name, whose grid is an input."""
    onnx, runtime = libraries()
    proto = ir.to_proto(graph.model)
    body, make, info = proto.graph, onnx.helper.make_node, onnx.helper.make_tensor_value_info
    kind = onnx.TensorProto.FLOAT
    nodes = []
    rounded: dict[str, str] = {}
    for node in body.node:
        for index, name in enumerate(node.input):
            node.input[index] = rounded.get(name, name)
        nodes.append(node)
        name = node.output[0]
        if name in names:
            step, low, high = (f"{name}::{key}" for key in ("step", "low", "high"))
            nodes += [
                make("Clip", [name, low, high], [f"{name}::cut"]),
                make("Div", [f"{name}::cut", step], [f"{name}::steps"]),
                make("Round", [f"{name}::steps"], [f"{name}::whole"]),
                make("Mul", [f"{name}::whole", step], [f"{name}::rounded"]),
            ]
            rounded[name] = f"{name}::rounded"
    heads = [rounded.get(output.name, output.name) for output in body.output]
    for field in (body.node, body.output, body.input, body.value_info):
        del field[:]
    body.node.extend(nodes)
    body.output.extend(info(head, kind, [None] * 4) for head in heads)
    body.input.append(info(INPUT_NAME, kind, [1, 3, None, None]))
    body.input.extend(info(name, kind, []) for name in _exact(names))
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    return runtime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
