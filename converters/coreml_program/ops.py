"""The table of MIL operations: how each is computed, in numpy or ONNX Runtime.

Arithmetic is float32 whatever the precision of the program; the caller rounds each result to the
type that the program declares, so that float16 loses what it loses on a device that adds up in
more. Tensors are NCHW.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ...edge_runtime.types import FloatArray
from . import kernels
from .program import MAX_ELEMENTS

Array = npt.NDArray[Any]
Inputs = Mapping[str, Any]
Compute = Callable[[Inputs, np.dtype[Any]], Array]


def _float(array: Any) -> FloatArray:
    return np.asarray(array, np.float32)


def _integer(array: Any) -> int:
    return int(np.asarray(array).reshape(()))


def bounded(shape: tuple[int, ...]) -> tuple[int, ...]:
    """`shape`; ValueError where a tensor of it is more than any detector has."""
    if math.prod(shape) > MAX_ELEMENTS:
        raise ValueError(f"a tensor of shape {shape}")
    return shape


def _both(inputs: Inputs) -> tuple[FloatArray, FloatArray]:
    x, y = _float(inputs["x"]), _float(inputs["y"])
    bounded(np.broadcast_shapes(x.shape, y.shape))
    return x, y


def _leaky_relu(inputs: Inputs) -> Any:
    x = _float(inputs["x"])
    return np.where(x >= 0, x, x * _float(inputs["alpha"]))


def _sigmoid_hard(inputs: Inputs) -> Any:
    return np.clip(_float(inputs["x"]) * _float(inputs["alpha"]) + _float(inputs["beta"]), 0, 1)


def _concat(inputs: Inputs) -> Any:
    values = inputs["values"]
    parts = values if isinstance(values, tuple) else (values,)
    bounded((sum(part.size for part in parts),))
    return np.concatenate(parts, _integer(inputs["axis"]))


def _upsample(inputs: Inputs) -> Any:
    x = inputs["x"]
    down, across = (_integer(inputs[f"scale_factor_{side}"]) for side in ("height", "width"))
    bounded((*x.shape[:2], x.shape[2] * down, x.shape[3] * across))
    return x.repeat(down, 2).repeat(across, 3)


def _reshape(inputs: Inputs) -> Any:
    return inputs["x"].reshape(inputs["shape"].tolist())


def _transpose(inputs: Inputs) -> Any:
    return inputs["x"].transpose(inputs["perm"].tolist())


def _matmul(inputs: Inputs) -> Any:
    x, y = _float(inputs["x"]), _float(inputs["y"])
    if (
        x.ndim < 2
        or y.ndim < 2
        or any(bool(np.asarray(inputs.get(name, False))) for name in ("transpose_x", "transpose_y"))
    ):
        raise ValueError("a matmul of another kind")
    bounded((*np.broadcast_shapes(x.shape[:-2], y.shape[:-2]), x.shape[-2], y.shape[-1]))
    return x @ y


def _softmax(inputs: Inputs) -> Any:
    x, axis = _float(inputs["x"]), _integer(inputs["axis"])
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def _reduced(inputs: Inputs, function: Callable[..., Any]) -> Any:
    axes = tuple(np.asarray(inputs["axes"]).reshape(-1).tolist())
    keep = bool(np.asarray(inputs.get("keep_dims", False)).reshape(()))
    return function(_float(inputs["x"]), axes, keepdims=keep)


def _slice_by_size(inputs: Inputs) -> Any:
    starts, sizes = inputs["begin"].tolist(), inputs["size"].tolist()
    parts = [
        slice(start, None if size == -1 else start + size)
        for start, size in zip(starts, sizes, strict=True)
    ]
    return inputs["x"][tuple(parts)]


def _along(numbers: Any, rank: int, axis: int) -> FloatArray:
    """A scalar or vector, shaped so that it is applied along `axis`."""
    numbers = _float(numbers)
    shape = [1] * rank
    if numbers.ndim:
        shape[axis] = numbers.size
    return np.reshape(numbers, shape)


def _affine(inputs: Inputs, data: Array) -> tuple[FloatArray, FloatArray]:
    """Scale and zero point for `data`."""
    axis = _integer(inputs.get("axis", 0))
    zero_point = inputs.get("zero_point", 0)
    return _along(inputs["scale"], data.ndim, axis), _along(zero_point, data.ndim, axis)


def _expand_weights(inputs: Inputs) -> Any:
    data = inputs["quantized_data"]
    scale, zero_point = _affine(inputs, data)
    return (_float(data) - zero_point) * scale


def _quantize(inputs: Inputs) -> Any:
    x = _float(inputs["input"])
    scale, zero_point = _affine(inputs, x)
    limits = np.iinfo(str(inputs["output_dtype"]))
    return np.clip(np.rint(x / scale) + zero_point, limits.min, limits.max)


def _dequantize(inputs: Inputs) -> Any:
    data = inputs["input"]
    scale, zero_point = _affine(inputs, data)
    return (_float(data) - zero_point) * scale


def _plain(compute: Callable[[Inputs], Any]) -> Compute:
    """An op in numpy, whose result is rounded here."""
    return lambda inputs, dtype: np.asarray(compute(inputs)).astype(dtype, copy=False)


OPS: dict[str, Compute] = {
    "add": _plain(lambda inputs: np.add(*_both(inputs))),
    "cast": _plain(lambda inputs: inputs["x"]),
    "concat": _plain(_concat),
    "constexpr_affine_dequantize": _plain(_expand_weights),
    "conv": kernels.convolve,
    "conv_transpose": kernels.convolve_transposed,
    "dequantize": _plain(_dequantize),
    "leaky_relu": _plain(_leaky_relu),
    "matmul": _plain(_matmul),
    "max_pool": kernels.pool,
    "mul": _plain(lambda inputs: np.multiply(*_both(inputs))),
    "quantize": _plain(_quantize),
    "reduce_max": _plain(lambda inputs: _reduced(inputs, np.max)),
    "reduce_mean": _plain(lambda inputs: _reduced(inputs, np.mean)),
    "reduce_sum": _plain(lambda inputs: _reduced(inputs, np.sum)),
    "relu": _plain(lambda inputs: np.maximum(inputs["x"], 0)),
    "reshape": _plain(_reshape),
    "sigmoid": kernels.sigmoid,
    "sigmoid_hard": _plain(_sigmoid_hard),
    "silu": kernels.silu,
    "slice_by_size": _plain(_slice_by_size),
    "softmax": _plain(_softmax),
    "transpose": _plain(_transpose),
    "upsample_nearest_neighbor": _plain(_upsample),
}
