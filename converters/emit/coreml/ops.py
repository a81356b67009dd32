"""How each op of the graph becomes MIL ops, as a table.

`problem` says why a node cannot be written (None when it can), `emit` writes it. Tensors are
NCHW, as in the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir

from ....edge_runtime.types import FloatArray
from ...shapes import integers, size_of
from ..nodes import (
    bias_or_zero,
    concat_problem,
    constant_or_none,
    conv_problem,
    copies_pixels,
    nothing,
    number,
    one_gates_the_other,
    over_columns,
    plain_transposed_conv,
    same_shapes,
    text,
)

Var = Any


@dataclass(frozen=True)
class Writer:
    """coremltools' builder, what happens to a named kernel, and how a float array is stored."""

    mb: Any
    weights: Callable[[str, FloatArray], Var]
    floats: Callable[[Any], Any]


@dataclass(frozen=True)
class Lowering:
    """How to write a node under a name, and why it cannot be written (None when it can)."""

    emit: Callable[[Writer, ir.Node, Sequence[Var], str], Var]
    problem: Callable[[ir.Node], str | None]


def is_silu(node: ir.Node) -> bool:
    """Whether `node` multiplies a value with its own sigmoid, which nothing else reads."""
    return node.op_type == "Mul" and any(
        value is not None and (gate := value.producer()) is not None and is_part_of_silu(gate)
        for value in node.inputs
    )


def is_part_of_silu(node: ir.Node) -> bool:
    """Whether `node` is a sigmoid that is read only to multiply its own input with it."""
    if node.op_type != "Sigmoid":
        return False
    users = [user for user, _ in node.outputs[0].uses()]
    return len(users) == 1 and (
        users[0].op_type == "Mul" and set(users[0].inputs) == {node.inputs[0], node.outputs[0]}
    )


def _padding(node: ir.Node) -> list[int]:
    """Top, bottom, left, right; ONNX says top, left, bottom, right."""
    top, left, bottom, right = integers(node, "pads", (0, 0, 0, 0))
    return [top, bottom, left, right]


def _conv(writer: Writer, node: ir.Node, inputs: Sequence[Var], name: str) -> Var:
    kernel, bias = constant_or_none(node, 1), bias_or_zero(node)
    assert kernel is not None
    assert bias is not None
    return writer.mb.conv(
        x=inputs[0],
        weight=writer.weights(str(node.inputs[1].name), kernel),  # type: ignore[union-attr]
        bias=writer.floats(bias),
        strides=list(integers(node, "strides", (1, 1))),
        pad_type="custom",
        pad=_padding(node),
        dilations=list(integers(node, "dilations", (1, 1))),
        groups=int(number(node, "group", 1)),
        name=name,
    )


def _conv_transpose(writer: Writer, node: ir.Node, inputs: Sequence[Var], name: str) -> Var:
    kernel, bias = constant_or_none(node, 1), constant_or_none(node, 2)
    assert kernel is not None
    assert bias is not None
    return writer.mb.conv_transpose(
        x=inputs[0],
        weight=writer.weights(str(node.inputs[1].name), kernel),  # type: ignore[union-attr]
        bias=writer.floats(bias),
        strides=list(integers(node, "strides", (1, 1))),
        pad_type="custom",
        pad=_padding(node),
        groups=int(number(node, "group", 1)),
        name=name,
    )


def _average(writer: Writer, _node: ir.Node, inputs: Sequence[Var], name: str) -> Var:
    return writer.mb.reduce_mean(x=inputs[0], axes=[2, 3], keep_dims=True, name=name)


def _largest(axes: list[int]) -> Callable[[Writer, ir.Node, Sequence[Var], str], Var]:
    """The lowering of a maximum over `axes`."""

    def emit(writer: Writer, _node: ir.Node, inputs: Sequence[Var], name: str) -> Var:
        return writer.mb.reduce_max(x=inputs[0], axes=axes, keep_dims=True, name=name)

    return emit


def _reshape(writer: Writer, node: ir.Node, inputs: Sequence[Var], name: str) -> Var:
    return writer.mb.reshape(x=inputs[0], shape=[1, *size_of(node.outputs[0])], name=name)


def _transpose(writer: Writer, node: ir.Node, inputs: Sequence[Var], name: str) -> Var:
    return writer.mb.transpose(x=inputs[0], perm=list(integers(node, "perm", ())), name=name)


def _softmax(writer: Writer, _node: ir.Node, inputs: Sequence[Var], name: str) -> Var:
    return writer.mb.softmax(x=inputs[0], axis=3, name=name)


def _max_pool(writer: Writer, node: ir.Node, inputs: Sequence[Var], name: str) -> Var:
    return writer.mb.max_pool(
        x=inputs[0],
        kernel_sizes=list(integers(node, "kernel_shape", ())),
        strides=list(integers(node, "strides", (1, 1))),
        pad_type="custom",
        pad=_padding(node),
        name=name,
    )


def _max_pool_problem(node: ir.Node) -> str | None:
    window, dilations = integers(node, "kernel_shape", ()), integers(node, "dilations", (1, 1))
    if len(window) != 2 or len(node.outputs) != 1 or set(dilations) != {1}:
        return "only plain 2-D pooling is known"
    if number(node, "ceil_mode", 0) or text(node, "auto_pad", "NOTSET") != "NOTSET":
        return "its padding must be explicit, without ceil_mode"
    return None


def _resize(writer: Writer, _node: ir.Node, inputs: Sequence[Var], name: str) -> Var:
    return writer.mb.upsample_nearest_neighbor(
        x=inputs[0], scale_factor_height=2, scale_factor_width=2, name=name
    )


def _resize_problem(node: ir.Node) -> str | None:
    factors = constant_or_none(node, 2)
    doubles = factors is not None and factors.tolist() == [1.0, 1.0, 2.0, 2.0]
    if not copies_pixels(node) or not doubles:
        return "only nearest-neighbor doubling is known"
    return None


def _concat(writer: Writer, _node: ir.Node, inputs: Sequence[Var], name: str) -> Var:
    return writer.mb.concat(values=list(inputs), axis=1, name=name)


def _mul(writer: Writer, node: ir.Node, inputs: Sequence[Var], name: str) -> Var:
    if is_silu(node):
        # Only the value itself has been written; its sigmoid is part of this op.
        return writer.mb.silu(x=inputs[0], name=name)
    return writer.mb.mul(x=inputs[0], y=inputs[1], name=name)


def _hard_swish(writer: Writer, _node: ir.Node, inputs: Sequence[Var], name: str) -> Var:
    sixth, half = writer.floats(1 / 6), writer.floats(0.5)
    gate = writer.mb.sigmoid_hard(x=inputs[0], alpha=sixth, beta=half, name=f"{name}_gate")
    return writer.mb.mul(x=inputs[0], y=gate, name=name)


def _leaky_relu(writer: Writer, node: ir.Node, inputs: Sequence[Var], name: str) -> Var:
    slope = writer.floats(number(node, "alpha", 0.01))
    return writer.mb.leaky_relu(x=inputs[0], alpha=slope, name=name)


LOWERINGS: dict[str, Lowering] = {
    "Conv": Lowering(_conv, conv_problem),
    "Sigmoid": Lowering(lambda w, _node, x, name: w.mb.sigmoid(x=x[0], name=name), nothing),
    "Mul": Lowering(_mul, one_gates_the_other),
    "Add": Lowering(lambda w, _node, x, name: w.mb.add(x=x[0], y=x[1], name=name), same_shapes),
    "Concat": Lowering(_concat, concat_problem),
    "MaxPool": Lowering(_max_pool, _max_pool_problem),
    "Resize": Lowering(_resize, _resize_problem),
    "LeakyRelu": Lowering(_leaky_relu, nothing),
    "Relu": Lowering(lambda w, _node, x, name: w.mb.relu(x=x[0], name=name), nothing),
    "HardSwish": Lowering(_hard_swish, nothing),
    "ConvTranspose": Lowering(_conv_transpose, plain_transposed_conv),
    "GlobalAveragePool": Lowering(_average, nothing),
    "GlobalMaxPool": Lowering(_largest([2, 3]), nothing),
    "ReduceMax": Lowering(_largest([1]), nothing),
    "Reshape": Lowering(_reshape, nothing),
    "Transpose": Lowering(_transpose, nothing),
    "MatMul": Lowering(lambda w, _node, x, name: w.mb.matmul(x=x[0], y=x[1], name=name), nothing),
    "Softmax": Lowering(
        lambda w, _n, x, name: w.mb.softmax(x=x[0], axis=3, name=name), over_columns
    ),
}
