"""Convolution and max pooling, each as an ONNX Runtime session of one node."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ...edge_runtime.errors import MissingExtraError

Array = npt.NDArray[Any]
MAX_WINDOW = 4096


def convolve(inputs: Mapping[str, Any]) -> Array:
    """MIL's conv: float32 arithmetic and sums."""
    attributes = _window(inputs) | {
        "group": int(np.asarray(inputs.get("groups", 1)).reshape(())),
        "dilations": _pair(inputs.get("dilations", (1, 1))),
    }
    names = ("x", "weight", "bias") if "bias" in inputs else ("x", "weight")
    return _run("Conv", attributes, [np.asarray(inputs[name], np.float32) for name in names])


def pool(inputs: Mapping[str, Any]) -> Array:
    """MIL's max_pool."""
    if bool(np.asarray(inputs.get("ceil_mode", False)).reshape(())):
        raise ValueError("max_pool with ceil_mode")
    attributes = _window(inputs) | {"kernel_shape": _pair(inputs["kernel_sizes"])}
    return _run("MaxPool", attributes, [np.asarray(inputs["x"], np.float32)])


def _pair(values: Any) -> tuple[int, int]:
    first, second = (int(value) for value in np.asarray(values).reshape(2))
    if not 1 <= first <= MAX_WINDOW or not 1 <= second <= MAX_WINDOW:
        raise ValueError(f"a window of {first}x{second}")
    return first, second


def _window(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Strides and pads; MIL's pads are top, bottom, left, right."""
    kind = str(inputs.get("pad_type", "valid"))
    if kind not in ("custom", "valid"):
        raise ValueError(f"padding of the type {kind}")
    pad = np.asarray(inputs["pad"]).reshape(4) if kind == "custom" else np.zeros(4, np.int32)
    top, bottom, left, right = (int(side) for side in pad)
    if not 0 <= min(top, bottom, left, right) <= max(top, bottom, left, right) <= MAX_WINDOW:
        raise ValueError(f"a padding of {top}, {bottom}, {left}, {right}")
    return {"pads": (top, left, bottom, right), "strides": _pair(inputs.get("strides", (1, 1)))}


def _run(op: str, attributes: Mapping[str, Any], arrays: list[Array]) -> Array:
    session = _session(op, tuple(sorted(attributes.items())), len(arrays))
    try:
        (result,) = session.run(None, {f"i{n}": array for n, array in enumerate(arrays)})
    except Exception as error:  # the runtime's exceptions have no base of their own
        raise ValueError(f"{op} of {[array.shape for array in arrays]}") from error
    return np.asarray(result)


@functools.lru_cache(maxsize=256)
def _session(op: str, attributes: tuple[tuple[str, Any], ...], count: int) -> Any:
    """One node of free shapes; a program has few different ones."""
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("onnxruntime", "convert", "Evaluating Core ML") from error
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    names = [f"i{n}" for n in range(count)]
    ranks = [4, 4, 1]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["o"], **dict(attributes))],
        op,
        [
            helper.make_tensor_value_info(name, kind, [None] * rank)
            for name, rank in zip(names, ranks, strict=False)
        ],
        [helper.make_tensor_value_info("o", kind, [None] * 4)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"], enable_fallback=0
    )
