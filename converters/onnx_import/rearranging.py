"""Operators that rearrange values, and matrices of any rank: gates and attention as exported."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np
import onnx_ir as ir
from onnx import NodeProto

from ..shapes import ShapeError, size_of
from .arranged import (
    CHANNELS,
    COLUMNS,
    Arranged,
    Dimension,
    Part,
    alike,
    is_whole,
    moved,
    of_map,
    rebased,
    reshaped,
    transposed,
    whole,
)
from .attributes import integer, integers, number
from .graph_rebuilder import GraphRebuilder, Step
from .parts import scaled


def _reshape(rebuilder: GraphRebuilder, node: NodeProto, values: list[Arranged]) -> list[Arranged]:
    shape = rebuilder.numbers(node, 1)
    old = values[0].shape
    if integer(node, "allowzero", 0) == 0:
        shape = [
            old[axis] if side == 0 and axis < len(old) else side for axis, side in enumerate(shape)
        ]
    if -1 in shape:
        known = prod(side for side in shape if side != -1)
        shape[shape.index(-1)] = prod(old) // known if known > 0 else 0
    return [reshaped(values[0], shape)]


def _flatten(_: GraphRebuilder, node: NodeProto, values: list[Arranged]) -> list[Arranged]:
    axis, shape = integer(node, "axis", 1), values[0].shape
    return [reshaped(values[0], (prod(shape[:axis]), prod(shape[axis:])))]


def _axes(rebuilder: GraphRebuilder, node: NodeProto) -> tuple[int, ...]:
    """Axes, which moved from an attribute to an input."""
    if len(node.input) > 1 and node.input[1]:
        return tuple(rebuilder.numbers(node, 1))
    return tuple(integers(node, "axes"))


def _squeeze(rebuilder: GraphRebuilder, node: NodeProto, values: list[Arranged]) -> list[Arranged]:
    shape = values[0].shape
    axes = {axis % len(shape) for axis in _axes(rebuilder, node)}
    axes = axes or {axis for axis, side in enumerate(shape) if side == 1}
    return [reshaped(values[0], [side for axis, side in enumerate(shape) if axis not in axes])]


def _unsqueeze(
    rebuilder: GraphRebuilder, node: NodeProto, values: list[Arranged]
) -> list[Arranged]:
    shape, axes = list(values[0].shape), _axes(rebuilder, node)
    for axis in sorted(axis % (len(shape) + len(axes)) for axis in axes):
        shape.insert(axis, 1)
    return [reshaped(values[0], shape)]


def _transpose(_: GraphRebuilder, node: NodeProto, values: list[Arranged]) -> list[Arranged]:
    backwards = tuple(range(len(values[0].dimensions)))[::-1]
    return [transposed(values[0], integers(node, "perm") or backwards)]


def _spread(_: GraphRebuilder, _node: NodeProto, values: list[Arranged]) -> list[Arranged]:
    """Expand: the product or sum that reads it spreads it as well."""
    return values[:1]


def _split(rebuilder: GraphRebuilder, node: NodeProto, values: list[Arranged]) -> list[Arranged]:
    axis = integer(node, "axis", 0) % len(values[0].dimensions)
    size, count = values[0].shape[axis], len(node.output)
    sizes = list(integers(node, "split"))
    if len(node.input) > 1 and node.input[1]:
        sizes = rebuilder.numbers(node, 1)
    step = -(-size // count)
    sizes = sizes or [*[step] * (count - 1), size - step * (count - 1)]
    if len(sizes) != count or sum(sizes) != size or min(sizes) < 1:
        raise ShapeError(f"{values[0].base.name}: a split of {size} in {count}")
    starts = np.cumsum([0, *sizes])
    return [
        _cut(rebuilder, values[0], axis, int(start), width)
        for start, width in zip(starts, sizes, strict=False)
    ]


def _gather(rebuilder: GraphRebuilder, node: NodeProto, values: list[Arranged]) -> list[Arranged]:
    """One step of a dimension, which then is gone."""
    axis = integer(node, "axis", 0) % len(values[0].dimensions)
    indices, size = rebuilder.numbers(node, 1), values[0].shape[axis]
    if len(indices) != 1:
        raise ShapeError(f"{values[0].base.name}: {len(indices)} steps of a dimension")
    taken = _cut(rebuilder, values[0], axis, indices[0] % size, 1)
    return [reshaped(taken, [side for one, side in enumerate(taken.shape) if one != axis])]


def _cut(rebuilder: GraphRebuilder, value: Arranged, axis: int, start: int, width: int) -> Arranged:
    """The steps `start` to `start + width` of a dimension that runs over channels."""
    dimension = value.dimensions[axis]
    if width == value.shape[axis]:
        return value
    if len(dimension) != 1 or dimension[0].side != CHANNELS:
        raise ShapeError(f"{value.base.name}: a split of something else than channels")
    (part,) = dimension
    steps = np.arange(size_of(value.base)[0]) // part.stride % part.size
    rows = np.flatnonzero((steps >= start) & (steps < start + width))

    def kept(one: Part) -> Part | None:
        if one == part:
            return Part(CHANNELS, part.stride, width, part.grid) if width > 1 else None
        if one.side == CHANNELS and one.stride > part.stride:
            return Part(CHANNELS, one.stride // part.size * width, one.size, one.grid)
        return one

    return Arranged(
        rebuilder.parts.take(value.base, rows.tolist()),
        tuple(
            tuple(found for one in each if (found := kept(one)) is not None)
            for each in value.dimensions
        ),
    )


def _mat_mul(rebuilder: GraphRebuilder, node: NodeProto, values: list[Arranged]) -> list[Arranged]:
    if len(node.input) != 2:
        raise rebuilder.source.damaged(f"{rebuilder.label(node)} multiplies {len(node.input)} maps")
    if len(values) == 1:
        if rebuilder.known.get(node.input[1]) is None:
            raise rebuilder.unsupported(f"{rebuilder.label(node)} is a matrix times a map")
        return [_linear(rebuilder, node, values[0], rebuilder.weights(node, 1).T, None)]
    first, second = values
    name = rebuilder.label(node)
    if len(first.dimensions) != len(second.dimensions) or len(first.dimensions) < 2:
        raise ShapeError(f"{name}: a product of {first.shape} and {second.shape}")
    maps = [
        rebased(
            rebuilder.builder,
            f"{name}.{index}",
            value,
            (sum(value.dimensions[:-2], ()), value.dimensions[-2], value.dimensions[-1]),
        )
        for index, value in enumerate(values)
    ]
    product = rebuilder.builder.add("MatMul", f"{name}/MatMul", [one.base for one in maps])
    leading = maps[0].dimensions[:-1]
    return [Arranged(product, (*leading, maps[1].dimensions[-1]))]


def _gemm(rebuilder: GraphRebuilder, node: NodeProto, values: list[Arranged]) -> list[Arranged]:
    if number(node, "alpha", 1) != 1 or number(node, "beta", 1) != 1 or integer(node, "transA", 0):
        raise rebuilder.unsupported(f"{rebuilder.label(node)} (Gemm) is of an unknown kind")
    weight = rebuilder.weights(node, 1)
    has_bias = len(node.input) > 2 and node.input[2] != ""
    bias = rebuilder.weights(node, 2) if has_bias else None
    turned = weight if integer(node, "transB", 0) else weight.T
    return [_linear(rebuilder, node, values[0], turned, bias)]


def _linear(
    rebuilder: GraphRebuilder,
    node: NodeProto,
    value: Arranged,
    weight: np.ndarray,
    bias: np.ndarray | None,
) -> Arranged:
    """`weight` (out, in) for the last dimension: a 1x1 convolution."""
    if weight.ndim != 2:
        raise ShapeError(f"{rebuilder.label(node)}: a matrix of the shape {weight.shape}")
    *rest, last = value.dimensions
    name = rebuilder.label(node)
    if not is_whole(value.base, last, CHANNELS):
        others: list[Part] = [part for dimension in rest for part in dimension]
        sides: tuple[Dimension, ...] = (last, tuple(others), ())
        if len(others) == 2:
            sides = (last, (others[0],), (others[1],))
        value = rebased(rebuilder.builder, f"{name}.moved", value, sides)
    made = rebuilder.builder.conv(name, value.base, weight[:, :, None, None], bias)
    return Arranged(made, (*value.dimensions[:-1], whole(made, CHANNELS)))


def _combine(rebuilder: GraphRebuilder, node: NodeProto, values: list[Arranged]) -> list[Arranged]:
    """Add, Mul, Sub and Div, of two values or of a value and a constant."""
    if len(values) == 1:
        return [_with_constant(rebuilder, node, values[0])]
    if len(values) != 2 or node.op_type not in ("Add", "Mul"):
        raise rebuilder.unsupported(f"{rebuilder.label(node)} ({node.op_type}) of two maps")
    name, builder = rebuilder.label(node), rebuilder.builder
    if all(value.is_map for value in values):
        return [of_map(_of_maps(rebuilder, node, values))]
    one, other = alike(*values)
    order = sorted(range(len(one)), key=lambda index: -one[index].stride)
    sides = [tuple(other[index] for index in order if one[index].side == side) for side in range(3)]
    second = moved(builder, f"{name}.moved", values[1], sides)
    made = builder.add(node.op_type, f"{name}/{node.op_type}", [values[0].base, second])
    return [Arranged(made, values[0].dimensions)]


def _of_maps(rebuilder: GraphRebuilder, node: NodeProto, values: list[Arranged]) -> ir.Value:
    name, maps = rebuilder.label(node), [value.base for value in values]
    maps.sort(key=lambda one: -prod(size_of(one)))
    (channels, *sides), (gates, *gate_sides) = map(size_of, maps)
    if node.op_type == "Mul" and gates == 1 < channels and sides == gate_sides:
        return rebuilder.builder.spatial_gate(name, *maps)
    return rebuilder.builder.add(node.op_type, f"{name}/{node.op_type}", [v.base for v in values])


def _with_constant(rebuilder: GraphRebuilder, node: NodeProto, value: Arranged) -> Arranged:
    """One number, or one per channel: a convolution of each channel."""
    name, kind = rebuilder.label(node), node.op_type
    constants = [i for i, one in enumerate(node.input) if rebuilder.known.get(one) is not None]
    if len(node.input) != 2 or len(constants) != 1:
        raise rebuilder.unsupported(f"{name} ({kind}) takes a computed part")
    (index,), numbers = constants, rebuilder.weights(node, constants[0])
    if kind in ("Sub", "Div") and index == 0:
        raise rebuilder.unsupported(f"{name} ({kind}) takes a map from a constant")
    if numbers.size > 1:
        shape = (1,) * (len(value.dimensions) - numbers.ndim) + numbers.shape
        axes = [axis for axis, side in enumerate(shape) if side > 1]
        fits = len(axes) == 1 and len(shape) == len(value.dimensions)
        if not fits or not is_whole(value.base, value.dimensions[axes[0]], CHANNELS):
            raise rebuilder.unsupported(f"{name} ({kind}) with a constant of {numbers.shape}")
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    factors, offsets = {"Mul": numbers}, {"Add": numbers, "Sub": -numbers}
    if kind == "Div":
        with np.errstate(divide="ignore", over="ignore"):
            factors[kind] = np.float32(1) / numbers
    factor, offset = factors.get(kind, one), offsets.get(kind, zero)
    if not np.isfinite(factor).all():
        raise rebuilder.source.damaged(f"{name} divides by zero")
    return Arranged(scaled(rebuilder.builder, name, value.base, factor, offset), value.dimensions)


def _softmax(rebuilder: GraphRebuilder, node: NodeProto, values: list[Arranged]) -> list[Arranged]:
    (value,), name = values, rebuilder.label(node)
    rank = len(value.dimensions)
    last = integer(node, "axis", -1) % rank == rank - 1
    if not last or not is_whole(value.base, value.dimensions[-1], COLUMNS):
        raise rebuilder.unsupported(f"{name} (Softmax) is not over the last side")
    made = rebuilder.builder.add("Softmax", f"{name}/Softmax", [value.base], {"axis": -1})
    return [Arranged(made, value.dimensions)]


def _reduce(rebuilder: GraphRebuilder, node: NodeProto, values: list[Arranged]) -> list[Arranged]:
    """The mean or maximum of each channel, or of all channels at each position."""
    (value,), name = values, rebuilder.label(node)
    axes = sorted(axis % 4 for axis in _axes(rebuilder, node))
    if not value.is_map or axes not in ([1], [2, 3]):
        raise rebuilder.unsupported(f"{name} ({node.op_type}) over other sides")
    builder, mean = rebuilder.builder, node.op_type == "ReduceMean"
    if axes == [1]:
        made = (builder.channel_mean if mean else builder.channel_max)(name, value.base)
    else:
        kind = "GlobalAveragePool" if mean else "GlobalMaxPool"
        made = builder.add(kind, f"{name}/{kind}", [value.base])
    whole_map = of_map(made)
    if integer(node, "keepdims", 1):
        return [whole_map]
    return [Arranged(made, tuple(d for i, d in enumerate(whole_map.dimensions) if i not in axes))]


STEPS: Mapping[str, Step] = {
    **dict.fromkeys(("Add", "Div", "Mul", "Sub"), _combine),
    "Expand": _spread,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gemm": _gemm,
    "MatMul": _mat_mul,
    "ReduceMax": _reduce,
    "ReduceMean": _reduce,
    "Reshape": _reshape,
    "Softmax": _softmax,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
