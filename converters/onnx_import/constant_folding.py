"""Constant folding: values that are known without running the model, from constants and shapes.

Exporters compute the sizes of Resize and Reshape from the input's shape, sometimes in dozens of
nodes. The input's shape is fixed while importing, so that all of it can be evaluated here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np
from onnx import AttributeProto, NodeProto, TensorProto

from .attributes import integer, integers
from .onnx_file import Array, OnnxSource

MAX_ITEMS = 1 << 24  # a computed value has at most as many as its inputs' numbers multiplied
MAX_DEPTH = 200

_CASTS: dict[int, type[np.generic]] = {
    TensorProto.FLOAT: np.float32,
    TensorProto.FLOAT16: np.float32,
    TensorProto.DOUBLE: np.float64,
    TensorProto.INT64: np.int64,
    TensorProto.INT32: np.int32,
    TensorProto.BOOL: np.bool_,
}


class ConstantFolder:
    """Evaluates on demand; `shapes` are the concrete shapes of the feature maps built so far."""

    def __init__(self, source: OnnxSource, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._source = source
        self._shapes = shapes
        self._values: dict[str, Array] = {}
        self._unknown: set[str] = set()
        self._unknown_at = 0
        self._items_left = source.proto.ByteSize() + MAX_ITEMS

    def get(self, name: str) -> Array | None:
        """The value `name`, or None where it depends on the image or on an unknown operator."""
        if len(self._shapes) != self._unknown_at:
            self._unknown.clear()
            self._unknown_at = len(self._shapes)
        return self._get(name, 0)

    def scalar(self, name: str) -> float | None:
        """The value `name` if it is one number."""
        value = self.get(name)
        return float(value.ravel()[0]) if value is not None and value.size == 1 else None

    def _get(self, name: str, depth: int) -> Array | None:
        if name in self._values or name in self._unknown:
            return self._values.get(name)
        value: Array | None = None
        if name in self._source.tensors:
            value = self._source.array(self._source.tensors[name])
        elif depth < MAX_DEPTH and (node := self._source.node_of(name)) is not None:
            value = self._evaluate(node, name, depth)
        if value is None:
            self._unknown.add(name)
        else:
            self._values[name] = value
        return value

    def _evaluate(self, node: NodeProto, name: str, depth: int) -> Array | None:
        if node.op_type == "Constant":
            return self._constant(node)
        if node.op_type == "Shape":
            shape = self._shapes.get(node.input[0]) if node.input else None
            part = slice(integer(node, "start", 0), integer(node, "end", 1 << 31))
            return None if shape is None else np.array(shape[part], np.int64)
        rule = _RULES.get(node.op_type)
        if rule is None or (name != node.output[0] and node.op_type != "Split"):
            return None
        inputs = self._inputs(node, depth)
        if inputs is None:
            return None
        try:
            with np.errstate(all="ignore"):
                value = np.asarray(rule(node, inputs))
                if node.op_type == "Split":
                    value = value[list(node.output).index(name)]
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError):
            return None
        self._items_left -= value.size
        return value if self._items_left >= 0 else None

    def _inputs(self, node: NodeProto, depth: int) -> list[Array | None] | None:
        """The inputs' values, None for omitted ones; None altogether where one is unknown."""
        inputs: list[Array | None] = []
        # How far Expand spreads does not matter: every reader of its value would spread it too.
        for name in node.input[:1] if node.op_type == "Expand" else node.input:
            value = self._get(name, depth + 1) if name else None
            if name and (value is None or value.ndim > 8):
                return None
            inputs.append(value)
        sizes = prod(value.size for value in inputs if value is not None)
        return inputs if sizes <= MAX_ITEMS else None

    def _constant(self, node: NodeProto) -> Array | None:
        for entry in node.attribute:
            if entry.name == "value" and entry.type == AttributeProto.TENSOR:
                return self._source.array(entry.t)
            if entry.name in ("value_int", "value_ints"):
                return np.array(entry.i if entry.name == "value_int" else entry.ints, np.int64)
            if entry.name in ("value_float", "value_floats"):
                return np.array(entry.f if entry.name == "value_float" else entry.floats, "f4")
        return None


Rule = Callable[[NodeProto, list[Any]], Any]


def _axes(node: NodeProto, inputs: list[Any]) -> tuple[int, ...]:
    """Axes, which moved from an attribute to an input in opset 13."""
    if len(inputs) > 1 and inputs[1] is not None:
        return tuple(int(axis) for axis in inputs[1].ravel())
    return integers(node, "axes")


def _unsqueeze(node: NodeProto, inputs: list[Any]) -> Any:
    return np.expand_dims(inputs[0], _axes(node, inputs))


def _squeeze(node: NodeProto, inputs: list[Any]) -> Any:
    return np.squeeze(inputs[0], _axes(node, inputs) or None)


def _gather(node: NodeProto, inputs: list[Any]) -> Any:
    return np.take(inputs[0], inputs[1].astype(np.int64), integer(node, "axis", 0))


def _slice(_: NodeProto, inputs: list[Any]) -> Any:
    data = inputs[0]
    starts, ends = inputs[1].ravel(), inputs[2].ravel()
    axes = inputs[3].ravel() if len(inputs) > 3 and inputs[3] is not None else range(len(starts))
    steps = inputs[4].ravel() if len(inputs) > 4 else [1] * len(starts)
    index = [slice(None)] * data.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        index[int(axis)] = slice(int(start), int(end), int(step))
    return data[tuple(index)]


def _concat(node: NodeProto, inputs: list[Any]) -> Any:
    return np.concatenate(inputs, integer(node, "axis", 0))


def _cast(node: NodeProto, inputs: list[Any]) -> Any:
    return inputs[0].astype(_CASTS[integer(node, "to", 0)])


def _reshape(_: NodeProto, inputs: list[Any]) -> Any:
    return inputs[0].reshape([int(side) for side in inputs[1].ravel()])


def _divide(_: NodeProto, inputs: list[Any]) -> Any:
    whole = np.issubdtype(inputs[0].dtype, np.integer)
    return inputs[0] // inputs[1] if whole else inputs[0] / inputs[1]


def _split(node: NodeProto, inputs: list[Any]) -> Any:
    """All parts, which must be of one size, as those of packed weights are."""
    sizes = inputs[1].ravel().tolist() if len(inputs) > 1 else list(integers(node, "split"))
    if len(set(sizes)) > 1:
        raise ValueError("parts of different sizes")
    return np.split(inputs[0], len(node.output), integer(node, "axis", 0))


def _transpose(node: NodeProto, inputs: list[Any]) -> Any:
    return np.transpose(inputs[0], integers(node, "perm") or None)


_RULES: Mapping[str, Rule] = {
    "Add": lambda _, inputs: inputs[0] + inputs[1],
    "Cast": _cast,
    "Ceil": lambda _, inputs: np.ceil(inputs[0]),
    "Concat": _concat,
    "Div": _divide,
    "Expand": lambda _, inputs: inputs[0],
    "Floor": lambda _, inputs: np.floor(inputs[0]),
    "Gather": _gather,
    "Identity": lambda _, inputs: inputs[0],
    "Mod": lambda _, inputs: np.mod(inputs[0], inputs[1]),
    "Mul": lambda _, inputs: inputs[0] * inputs[1],
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _split,
    "Sqrt": lambda _, inputs: np.sqrt(inputs[0]),
    "Squeeze": _squeeze,
    "Sub": lambda _, inputs: inputs[0] - inputs[1],
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
