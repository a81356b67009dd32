"""Rebuilds the operators before the heads one by one, in one canonical form.

Only operators that the heads need are visited; shapes, grids and size arithmetic are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx_ir as ir
from onnx import NodeProto

from ...edge_runtime.errors import ModelError, UnsupportedModelError
from ...edge_runtime.text import printable
from ...edge_runtime.types import FloatArray
from ..builder import GraphBuilder
from ..operators import ACTIVATIONS, OPERATORS
from ..shapes import doubling_repeats_pixels, size_of
from .activations import hardswish_input
from .arranged import Arranged, moved, of_map
from .attributes import integer, integers, number, text
from .constant_folding import ConstantFolder
from .onnx_file import DO_NOT_TRUST, EXPORT_AGAIN, OnnxSource
from .parts import Parts
from .rearranging import STEPS

Step = tuple[str, Sequence[str]]

UNBOUNDED = 1 << 31
MAX_LABEL = 200
MAX_NUMBERS = 1000


class GraphRebuilder:
    """Rebuilds the operators of one file with a `GraphBuilder`."""

    def __init__(self, source: OnnxSource, builder: GraphBuilder, input_name: str) -> None:
        self.source = source
        self.builder = builder
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.known = ConstantFolder(source, self.shapes)
        self.parts = Parts(builder)
        self._values: dict[str, Arranged] = {}
        self._from_image = _depending_on(source, input_name)
        self._weights_left = source.proto.ByteSize()
        self._set(input_name, of_map(builder.input))

    def build(self, names: Sequence[str]) -> list[ir.Value]:
        """The feature maps `names` and all that they need.

        Raises:
            UnsupportedModelError: operators that tallylens does not know, all of them listed.
            ShapeError: weights that do not fit.
        """
        for index, (op_type, inputs) in sorted(self._needed(names).items()):
            self._run(self.source.nodes[index], op_type, [self._values[name] for name in inputs])
        return [self._map(name) for name in names]

    def _run(self, node: NodeProto, op_type: str, values: list[Arranged]) -> None:
        """Set what `node` gives; `op_type` is HardSwish where it ends one of several operators."""
        if op_type in STEPS:
            made = STEPS[op_type](self, node, values)
        elif op_type in _VALUE_BY_VALUE:
            output = self._pointwise(node, op_type, values[0].base)
            made = [Arranged(output, values[0].dimensions)]
        else:
            maps = [self._as_map(node, value) for value in values]
            made = [of_map(HANDLERS[op_type](self, node, maps))]
        for name, value in zip(node.output, made, strict=False):
            self._set(name, value)

    def _pointwise(self, node: NodeProto, op_type: str, x: ir.Value) -> ir.Value:
        if op_type in ("Cast", "Identity"):
            return x  # casts between float types, for everything is float32 here
        attributes = {
            name: number(node, name, attribute.default)
            for name, attribute in OPERATORS[op_type].attributes.items()
            if op_type == node.op_type
        }
        return self.builder.add(op_type, f"{label(node)}/{op_type}", [x], attributes)

    def _as_map(self, node: NodeProto, value: Arranged) -> ir.Value:
        if len(value.dimensions) != 4 or value.dimensions[0]:
            raise self.unsupported(f"{label(node)} ({node.op_type}) takes no feature map")
        return moved(self.builder, f"{label(node)}.moved", value, value.dimensions[1:])

    def _map(self, name: str) -> ir.Value:
        node = self.source.node_of(name)
        value = self._values[name]
        return value.base if node is None or value.is_map else self._as_map(node, value)

    def _set(self, name: str, value: Arranged) -> None:
        assert value.base.shape is not None
        self._values[name] = value
        batch, *_ = value.base.shape.dims
        shape = value.shape
        # Dimensions have no part in the batch, which is the first of a map.
        self.shapes[name] = (int(batch), *shape[1:]) if value.is_map else shape  # type: ignore[arg-type]

    def numbers(self, node: NodeProto, index: int) -> list[int]:
        """The integers of a constant input."""
        name = node.input[index] if index < len(node.input) else ""
        array = self.known.get(name)
        if array is None or array.size > MAX_NUMBERS:
            raise self.unsupported(f"{label(node)} ({node.op_type}) takes a computed part")
        return [int(value) for value in array.ravel()]

    def label(self, node: NodeProto) -> str:
        """A short name for messages and for new nodes."""
        return label(node)

    def _needed(self, names: Sequence[str]) -> dict[int, Step]:
        """By node index, what the node is and the feature maps that it reads."""
        needed: dict[int, Step] = {}
        unknown: set[str] = set()
        waiting = [name for name in names if name not in self._values]
        while waiting:
            index = self.source.producer.get(waiting.pop())
            if index is None:
                raise self.unsupported("the heads do not depend on the image alone")
            if index in needed:
                continue
            needed[index] = self._step(self.source.nodes[index], unknown)
            waiting.extend(name for name in needed[index][1] if name not in self._values)
        if unknown:
            listed = ", ".join(sorted(unknown))
            raise self.unsupported(
                f"the model uses operators that tallylens does not know: {listed}"
            )
        return needed

    def _step(self, node: NodeProto, unknown: set[str]) -> Step:
        self.source.check_node(node)
        gated = hardswish_input(self.source, self.known, node)
        if gated is not None:
            return "HardSwish", [gated]
        known = node.op_type in (*HANDLERS, *STEPS, *_VALUE_BY_VALUE)
        if not known or not node.input or not node.output:
            unknown.add(printable(node.op_type, 40))
            return node.op_type, []
        if node.op_type not in _SEVERAL_MAPS:
            return node.op_type, [node.input[0]]
        maps = [name for name in node.input if name in self._from_image]
        if not maps or (node.op_type == "Concat" and len(maps) != len(node.input)):
            unknown.add(f"{node.op_type} with a constant")
            return node.op_type, []
        return node.op_type, maps

    def weights(self, node: NodeProto, index: int) -> FloatArray:
        """Constant input `index` as float32."""
        name = node.input[index] if index < len(node.input) else ""
        array = self.known.get(name)
        if array is None:
            raise self.unsupported(f"{label(node)} ({node.op_type}) has weights that are computed")
        self._weights_left -= array.size
        if self._weights_left < 0:
            raise ModelError(
                self.source.path, "it uses its weights more often than it holds them", DO_NOT_TRUST
            )
        with np.errstate(over="ignore"):
            weights = array.astype(np.float32, copy=False)
        if not np.isfinite(weights).all():
            raise self.source.damaged(f"the weights of {label(node)} are not finite numbers")
        return weights

    def unsupported(self, problem: str) -> UnsupportedModelError:
        """The error for a graph of another kind."""
        return UnsupportedModelError(self.source.path, problem, EXPORT_AGAIN)


def label(node: NodeProto) -> str:
    """A short name for messages and for the new node: `model.1/conv` for `/model.1/conv/Conv`."""
    name = printable(node.name or node.output[0], MAX_LABEL)
    return name.strip("/").removesuffix(f"/{node.op_type}") or node.op_type


def _conv(rebuilder: GraphRebuilder, node: NodeProto, maps: list[ir.Value]) -> ir.Value:
    if text(node, "auto_pad", "NOTSET") != "NOTSET":
        raise rebuilder.unsupported(f"{label(node)} (Conv) pads by itself")
    has_bias = len(node.input) > 2 and node.input[2] != ""
    return rebuilder.builder.conv(
        label(node),
        maps[0],
        rebuilder.weights(node, 1),
        rebuilder.weights(node, 2) if has_bias else None,
        strides=integers(node, "strides", (1, 1)),
        pads=integers(node, "pads", (0, 0, 0, 0)),
        dilations=integers(node, "dilations", (1, 1)),
        group=integer(node, "group", 1),
        constant_name=printable(node.input[1], MAX_LABEL).removesuffix(".weight"),
    )


def _batch_norm(rebuilder: GraphRebuilder, node: NodeProto, maps: list[ir.Value]) -> ir.Value:
    names = ("weight", "bias", "running_mean", "running_var")
    statistics = {name: rebuilder.weights(node, index) for index, name in enumerate(names, 1)}
    epsilon = number(node, "epsilon", 1e-5)
    return rebuilder.builder.batch_norm(label(node), maps[0], statistics, epsilon)


def _max_pool(rebuilder: GraphRebuilder, node: NodeProto, maps: list[ir.Value]) -> ir.Value:
    odd = (
        text(node, "auto_pad", "NOTSET") != "NOTSET"
        or integer(node, "ceil_mode", 0)
        or any(step != 1 for step in integers(node, "dilations"))
    )
    if odd:
        raise rebuilder.unsupported(f"{label(node)} (MaxPool) is of an unknown kind")
    return rebuilder.builder.max_pool(
        label(node),
        maps[0],
        integers(node, "kernel_shape"),
        integers(node, "strides", (1, 1)),
        integers(node, "pads", (0, 0, 0, 0)),
    )


def _concat(rebuilder: GraphRebuilder, node: NodeProto, maps: list[ir.Value]) -> ir.Value:
    if integer(node, "axis", 0) not in (1, -3):
        raise rebuilder.unsupported(f"{label(node)} (Concat) does not join channels")
    return rebuilder.builder.concat(label(node), maps)


def _resize(rebuilder: GraphRebuilder, node: NodeProto, maps: list[ir.Value]) -> ir.Value:
    """Nearest by two, whether the file gives scales or the sizes for one input size."""
    repeats = doubling_repeats_pixels(
        text(node, "mode", "nearest"),
        text(node, "coordinate_transformation_mode", "half_pixel"),
        text(node, "nearest_mode", "round_prefer_floor"),
    )
    if not repeats or _factors(rebuilder, node, maps[0]) != (2.0, 2.0):
        raise rebuilder.unsupported(f"{label(node)} (Resize) is another one than nearest by 2")
    return rebuilder.builder.upsample(label(node), maps[0])


def _factors(rebuilder: GraphRebuilder, node: NodeProto, x: ir.Value) -> tuple[float, ...] | None:
    """How many times higher and wider; None where it cannot be known."""
    names = [*node.input, "", "", ""]
    scales, sizes = (rebuilder.known.get(name) if name else None for name in names[2:4])
    sides = np.array(size_of(x)[1:], np.float64)
    if scales is not None and scales.size in (2, 4):
        return tuple(scales.ravel()[-2:].tolist())
    if sizes is not None and sizes.size in (2, 4):
        return tuple((sizes.ravel()[-2:].astype(np.float64) / sides).tolist())
    return None


def _slice(rebuilder: GraphRebuilder, node: NodeProto, maps: list[ir.Value]) -> ir.Value:
    """Some channels, or a Focus stem, where an end at or beyond the map's own is unbounded."""
    given = [rebuilder.known.get(name) for name in node.input[1:]]
    numbers = [[int(value) for value in array.ravel()] for array in given if array is not None]
    if len(numbers) < 3 or len(numbers) != len(given):
        raise rebuilder.unsupported(f"{label(node)} (Slice) takes a computed part")
    starts, ends, axes = numbers[:3]
    steps = numbers[3] if len(numbers) > 3 else [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise rebuilder.source.damaged(f"{label(node)} (Slice) has arguments of different lengths")
    axes = [axis % 4 for axis in axes]
    if axes == [1] and steps[0] > 0:
        rows = range(size_of(maps[0])[0])[starts[0] : ends[0] : steps[0]]
        if not rows:
            raise rebuilder.source.damaged(f"{label(node)} (Slice) leaves no channels")
        return rebuilder.parts.take(maps[0], rows)
    sides = (1, *size_of(maps[0]))
    ends = [UNBOUNDED if end >= sides[axis] else end for end, axis in zip(ends, axes, strict=True)]
    constants = [
        rebuilder.builder.constant(f"{label(node)}.{key}", np.array(values, np.int64))
        for key, values in zip(
            ("starts", "ends", "axes", "steps"), (starts, ends, axes, steps), strict=True
        )
    ]
    return rebuilder.builder.add("Slice", f"{label(node)}/Slice", [maps[0], *constants])


def _conv_transpose(rebuilder: GraphRebuilder, node: NodeProto, maps: list[ir.Value]) -> ir.Value:
    special = {"output_shape", "output_padding"} & {one.name for one in node.attribute}
    dilated = any(step != 1 for step in integers(node, "dilations"))
    padding = any(integers(node, "output_padding")) or "output_shape" in special
    if text(node, "auto_pad", "NOTSET") != "NOTSET" or dilated or padding:
        raise rebuilder.unsupported(f"{label(node)} (ConvTranspose) is of an unknown kind")
    weight, group = rebuilder.weights(node, 1), integer(node, "group", 1)
    if weight.ndim != 4:
        raise rebuilder.unsupported(f"{label(node)} (ConvTranspose) is not two-dimensional")
    has_bias = len(node.input) > 2 and node.input[2] != ""
    outputs = weight.shape[1] * max(1, group)
    return rebuilder.builder.conv_transpose(
        label(node),
        maps[0],
        weight,
        rebuilder.weights(node, 2) if has_bias else np.zeros(outputs, np.float32),
        strides=integers(node, "strides", (1, 1)),
        pads=integers(node, "pads", (0, 0, 0, 0)),
        group=group,
    )


def _pooled(rebuilder: GraphRebuilder, node: NodeProto, maps: list[ir.Value]) -> ir.Value:
    return rebuilder.builder.add(node.op_type, f"{label(node)}/{node.op_type}", maps)


def _depending_on(source: OnnxSource, name: str) -> set[str]:
    """The values that hold numbers of the value `name`; its shape does not."""
    found = {name}
    for node in source.nodes:
        if node.op_type != "Shape" and not found.isdisjoint(node.input):
            found.update(node.output)
    return found


_SEVERAL_MAPS = ("Add", "Concat", "Div", "MatMul", "Mul", "Sub")
_VALUE_BY_VALUE = ("Cast", "Identity", *ACTIVATIONS)

HANDLERS: Mapping[str, Callable[[GraphRebuilder, NodeProto, list[ir.Value]], ir.Value]] = {
    "BatchNormalization": _batch_norm,
    "Concat": _concat,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "GlobalAveragePool": _pooled,
    "GlobalMaxPool": _pooled,
    "MaxPool": _max_pool,
    "Resize": _resize,
    "Slice": _slice,
}
