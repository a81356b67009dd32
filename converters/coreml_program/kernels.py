"""The ops that take time, each as an ONNX Runtime session of its own.

A session casts what it is given to float32, computes there, and casts the result to the type that
the program declares: the same rounding as in numpy, several times as fast.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ...edge_runtime.errors import MissingExtraError

Array = npt.NDArray[Any]
Inputs = Mapping[str, Any]
MAX_WINDOW = 4096
_QUIET = 4


def convolve(inputs: Inputs, dtype: np.dtype[Any]) -> Array:
    """MIL's conv; sums are float32."""
    attributes = _window(inputs) | {
        "group": int(np.asarray(inputs.get("groups", 1)).reshape(())),
        "dilations": _pair(inputs.get("dilations", (1, 1))),
    }
    names = ("x", "weight", "bias") if "bias" in inputs else ("x", "weight")
    return _run("Conv", attributes, [inputs[name] for name in names], dtype)


def convolve_transposed(inputs: Inputs, dtype: np.dtype[Any]) -> Array:
    """MIL's conv_transpose with explicit padding."""
    if "output_shape" in inputs:
        raise ValueError("conv_transpose with output_shape")
    attributes = _window(inputs) | {
        "group": int(np.asarray(inputs.get("groups", 1)).reshape(())),
        "dilations": _pair(inputs.get("dilations", (1, 1))),
    }
    names = ("x", "weight", "bias") if "bias" in inputs else ("x", "weight")
    return _run("ConvTranspose", attributes, [inputs[name] for name in names], dtype)


def pool(inputs: Inputs, dtype: np.dtype[Any]) -> Array:
    """MIL's max_pool."""
    if bool(np.asarray(inputs.get("ceil_mode", False)).reshape(())):
        raise ValueError("max_pool with ceil_mode")
    attributes = _window(inputs) | {"kernel_shape": _pair(inputs["kernel_sizes"])}
    return _run("MaxPool", attributes, [inputs["x"]], dtype)


def sigmoid(inputs: Inputs, dtype: np.dtype[Any]) -> Array:
    """MIL's sigmoid."""
    return _run("Sigmoid", {}, [inputs["x"]], dtype)


def silu(inputs: Inputs, dtype: np.dtype[Any]) -> Array:
    """MIL's silu: x * sigmoid(x), rounded once."""
    return _run("SiLU", {}, [inputs["x"]], dtype)


def _pair(values: Any) -> tuple[int, int]:
    first, second = (int(value) for value in np.asarray(values).reshape(2))
    if not 1 <= first <= MAX_WINDOW or not 1 <= second <= MAX_WINDOW:
        raise ValueError(f"a window of {first}x{second}")
    return first, second


def _window(inputs: Inputs) -> dict[str, Any]:
    """Strides and pads; MIL's pads are top, bottom, left, right."""
    kind = str(inputs.get("pad_type", "valid"))
    if kind not in ("custom", "valid"):
        raise ValueError(f"padding of the type {kind}")
    pad = np.asarray(inputs["pad"]).reshape(4) if kind == "custom" else np.zeros(4, np.int32)
    top, bottom, left, right = (int(side) for side in pad)
    if min(top, bottom, left, right) < 0 or max(top, bottom, left, right) > MAX_WINDOW:
        raise ValueError(f"a padding of {top}, {bottom}, {left}, {right}")
    return {"pads": (top, left, bottom, right), "strides": _pair(inputs.get("strides", (1, 1)))}


def _run(op: str, attributes: Inputs, arrays: list[Array], dtype: np.dtype[Any]) -> Array:
    forms = tuple((array.dtype.name, array.ndim) for array in arrays)
    session = _session(op, tuple(sorted(attributes.items())), forms, dtype.name)
    try:
        (result,) = session.run(None, {f"i{n}": array for n, array in enumerate(arrays)})
    except Exception as error:  # the runtime's exceptions have no base of their own
        raise ValueError(f"{op} of {[array.shape for array in arrays]}") from error
    return np.asarray(result)


@functools.lru_cache(maxsize=256)
def _session(
    op: str,
    attributes: tuple[tuple[str, Any], ...],
    forms: tuple[tuple[str, int], ...],
    dtype: str,
) -> Any:
    """One op of free shapes (a program has few different ones) between casts."""
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("onnxruntime", "convert", "Evaluating Core ML") from error
    helper = onnx.helper
    kinds = {"float16": onnx.TensorProto.FLOAT16, "float32": onnx.TensorProto.FLOAT}
    floats = [f"f{n}" for n in range(len(forms))]
    nodes = [
        helper.make_node("Cast", [f"i{n}"], [name], to=kinds["float32"])
        for n, name in enumerate(floats)
    ]
    if op == "SiLU":
        nodes.append(helper.make_node("Sigmoid", floats, ["gate"]))
        nodes.append(helper.make_node("Mul", [*floats, "gate"], ["result"]))
    else:
        nodes.append(helper.make_node(op, floats, ["result"], **dict(attributes)))
    nodes.append(helper.make_node("Cast", ["result"], ["o"], to=kinds[dtype]))
    inputs = [
        helper.make_tensor_value_info(f"i{n}", kinds[name], [None] * rank)
        for n, (name, rank) in enumerate(forms)
    ]
    output = helper.make_tensor_value_info("o", kinds[dtype], [None] * forms[0][1])
    model = helper.make_model(
        helper.make_graph(nodes, op, inputs, [output]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _QUIET
    # Every session has its own threads; those that wait must not take the cores from the others.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"], enable_fallback=0
    )
