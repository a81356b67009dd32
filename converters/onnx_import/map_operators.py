"""Operators of feature maps, as files hold them: convolutions, pools, joins, slices."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
from onnx import NodeProto

from ...edge_runtime.text import printable
from ..shapes import doubling_repeats_pixels, size_of
from .attributes import integer, integers, number, text
from .graph_rebuilder import MAX_LABEL, GraphRebuilder, Handler, label

MAX_CUT = 1e6
UNBOUNDED = 1 << 31


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


def _clip(rebuilder: GraphRebuilder, node: NodeProto, maps: list[ir.Value]) -> ir.Value:
    """ReLU6, and what else is cut at 0 and above."""
    names = [*node.input, "", ""]
    low, high = (rebuilder.known.scalar(name) if name else None for name in names[1:3])
    if low != 0 or high is None or not 0 < high < MAX_CUT:
        raise rebuilder.unsupported(f"{label(node)} (Clip) does not cut at 0 and above it")
    return rebuilder.builder.cut(label(node), maps[0], high)


def _hard_sigmoid(rebuilder: GraphRebuilder, node: NodeProto, maps: list[ir.Value]) -> ir.Value:
    """alpha * x + beta, cut at 0 and at 1."""
    alpha, beta = number(node, "alpha", 0.2), number(node, "beta", 0.5)
    scaled = rebuilder.builder.scaled(label(node), maps[0], alpha, beta)
    return rebuilder.builder.cut(label(node), scaled, 1.0)


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


HANDLERS: Mapping[str, Handler] = {
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "GlobalAveragePool": _pooled,
    "GlobalMaxPool": _pooled,
    "HardSigmoid": _hard_sigmoid,
    "MaxPool": _max_pool,
    "Resize": _resize,
    "Slice": _slice,
}
