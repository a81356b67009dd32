"""The operators that a detector graph may hold: one table of facts that every stage reads.

A row says what importers, passes, pruning and quantization have to know about an operator.
How an operator is written to a file stands in the emitter's own table of lowerings; a test asserts
that all tables agree with this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import onnx_ir as ir

from . import shapes
from .shapes import ShapeError, Size

MAX_ELEMENTS = 1 << 32

ChannelBehavior = Literal["new", "same", "tied", "joined", "fixed"]


@dataclass(frozen=True)
class Attribute:
    """A float attribute of an activation: its ONNX default, and its name in the PyTorch module."""

    default: float
    module_name: str


@dataclass(frozen=True)
class Operator:
    """Facts about one ONNX operator.

    `name`: its op type, opset 17.
    `shape`: (channels, height, width) of the output, from the node.
    `channels`: what becomes of channels, for pruning. "new": output channels are made from all
    input channels. "same": output channel i comes from input channel i alone. "tied": as "same",
    of several inputs whose channels i must be kept or removed together. "joined": the channels
    of the inputs in a row. "fixed": channels cannot be removed before or after it.
    `moves_values`: the output holds numbers of the inputs and no others, so both share a range.
    `output_range`: (low, high) of the output for any input; None: it has to be observed.
    `flat_below`: input below which the output is as good as constant, so that a quantized range
    may start there; None: the whole range is kept.
    `modules`: PyTorch classes, by dotted name, that are this operator alone.
    `attributes`: float attributes by name, for activations.
    `folded`: passes replace it after loading, so that no emitter sees it.
    """

    name: str
    shape: Callable[[ir.Node], Size]
    channels: ChannelBehavior
    moves_values: bool = False
    output_range: tuple[float, float] | None = None
    flat_below: float | None = None
    modules: tuple[str, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    is_activation: bool = False
    folded: bool = False


def _activation(
    name: str,
    modules: tuple[str, ...] = (),
    *,
    output_range: tuple[float, float] | None = None,
    flat_below: float | None = None,
    attributes: Mapping[str, Attribute] | None = None,
) -> Operator:
    """An operator that computes every value of one input from that value alone."""
    return Operator(
        name,
        shapes.same,
        "same",
        output_range=output_range,
        flat_below=flat_below,
        modules=modules,
        attributes=attributes or {},
        is_activation=True,
    )


_TORCH = "torch.nn.modules.activation"

_ROWS = (
    Operator("Conv", shapes.conv, "new"),
    Operator("Concat", shapes.concat, "joined", moves_values=True),
    Operator("Add", shapes.total, "tied"),
    Operator("Mul", shapes.product, "tied"),
    Operator("MaxPool", shapes.max_pool, "same", moves_values=True),
    Operator("Resize", shapes.resize, "same", moves_values=True),
    Operator("ConvTranspose", shapes.conv_transpose, "fixed"),
    Operator("GlobalAveragePool", shapes.pooled, "same"),
    Operator("GlobalMaxPool", shapes.pooled, "same", moves_values=True),
    Operator("ReduceMax", shapes.over_channels, "fixed", moves_values=True),
    # Attention: rows and columns become one side, channels those of each head.
    Operator("Reshape", shapes.reshape, "fixed", moves_values=True),
    Operator("Transpose", shapes.transpose, "fixed", moves_values=True),
    Operator("MatMul", shapes.mat_mul, "fixed"),
    Operator("Softmax", shapes.same, "fixed", output_range=(0.0, 1.0)),
    Operator("BatchNormalization", shapes.batch_norm, "fixed", folded=True),
    Operator("Slice", shapes.slice_, "fixed", folded=True),  # of a Focus stem
    # SiLU is Mul(x, Sigmoid(x)): it has no row of its own.
    _activation("Sigmoid", (f"{_TORCH}.Sigmoid",), output_range=(0.0, 1.0)),
    # flat_below is not 0: kernels merge Relu with the convolution, whose output has no range then.
    _activation("Relu", (f"{_TORCH}.ReLU",)),
    _activation(
        "LeakyRelu",
        (f"{_TORCH}.LeakyReLU",),
        attributes={"alpha": Attribute(0.01, "negative_slope")},
    ),
    _activation(
        "HardSwish",
        ("models.common.Hardswish", "utils.activations.Hardswish", f"{_TORCH}.Hardswish"),
        flat_below=-3.0,
    ),
)

OPERATORS: Mapping[str, Operator] = {row.name: row for row in _ROWS}
ACTIVATIONS: Mapping[str, Operator] = {row.name: row for row in _ROWS if row.is_activation}


def infer_shape(node: ir.Node) -> ir.Shape:
    """The shape of `node`'s one output; the batch dimension is the input's and may be symbolic.

    Raises:
        ShapeError: an unknown operator, or the inputs do not fit it.
    """
    operator = OPERATORS.get(node.op_type)
    if operator is None:
        raise ShapeError(f"{node.name}: no shape rule for {node.op_type}")
    channels, height, width = operator.shape(node)
    if min(channels, height, width) < 1:
        raise ShapeError(f"{node.name}: the input is too small, nothing is left of it here")
    if channels * height * width > MAX_ELEMENTS:
        raise ShapeError(f"{node.name}: {channels}x{height}x{width} values are too many")
    batch = shapes.shape_of(node, 0)[0]
    return ir.Shape([batch, channels, height, width])


def _restore_rows(model: ir.Model, old: tuple[object, ...], new: tuple[int, int]) -> None:
    """Reshapes that restore rows and columns hold their numbers for one input size."""
    if old == new:
        return
    for node in model.graph:
        if node.op_type != "Reshape":
            continue
        shape = shapes.constant(node, 1)
        if (shape[1:] > 0).all():
            sides = zip(shape[2:].tolist(), old, new, strict=True)
            shape = np.array([0, shape[1], *(side * b // a for side, a, b in sides)], np.int64)
            value = node.inputs[1]
            assert value is not None
            value.const_value = ir.tensor(shape, name=value.name)


def set_input(model: ir.Model, size: tuple[int, int], batch: int | None) -> None:
    """Give `model` another input (height, width) and batch (None: any), and infer all shapes."""
    images = model.graph.inputs[0]
    assert images.shape is not None
    _restore_rows(model, tuple(images.shape.dims[2:]), size)
    images.shape = ir.Shape(["batch" if batch is None else batch, 3, *size])
    for node in model.graph:
        node.outputs[0].shape = infer_shape(node)
