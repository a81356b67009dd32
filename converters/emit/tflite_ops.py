"""How each op of the graph becomes TensorFlow ops, as a table.

A lowering is two short functions: `problem` says why a node cannot be written (None when it can),
`emit` writes it. Tensors are (batch, height, width, channels) throughout; what the graph says in
NCHW is turned in the lowerings: kernels in `tflite_conv`, axes here and in `tflite_attention`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from ..shapes import integers
from . import tflite_attention
from .nodes import (
    concat_problem,
    copies_pixels,
    nothing,
    number,
    one_gates_the_other,
    over_columns,
    plain_transposed_conv,
    same_shapes,
    text,
)
from .tflite_conv import conv, conv_problem, conv_transpose, pads_like_same
from .tflite_writer import Lowering, Tensor, Writer

_CHANNELS = 3


def _image_size(value: ir.Value | None) -> tuple[int, int] | None:
    """(height, width) of a value, None unless both are known."""
    if value is None or value.shape is None or len(value.shape) != 4:
        return None
    height, width = value.shape[2], value.shape[3]
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None


def _max_pool(writer: Writer, node: ir.Node, inputs: Sequence[Tensor]) -> Tensor:
    window, strides = integers(node, "kernel_shape", ()), integers(node, "strides", (1, 1))
    source, pads = inputs[0], integers(node, "pads", (0, 0, 0, 0))
    padding = "VALID"
    if any(pads) and pads_like_same(source.shape[1:3], window, strides, pads):
        padding = "SAME"
    elif any(pads):
        top, left, bottom, right = pads
        sides = ((0, 0), (top, bottom), (left, right), (0, 0))
        source = writer.tf.pad(source, sides, constant_values=_below(node.inputs[0]))
    return writer.tf.nn.max_pool2d(source, window, strides, padding)


def _below(value: ir.Value | None) -> float:
    """A number that is never the largest of a window of `value`."""
    producer = value.producer() if value is not None else None
    return 0.0 if producer is not None and producer.op_type == "Relu" else float(np.finfo("f4").min)


def _max_pool_problem(node: ir.Node) -> str | None:
    window = integers(node, "kernel_shape", ())
    if (
        len(window) != 2
        or len(node.outputs) != 1
        or set(integers(node, "dilations", (1, 1))) != {1}
    ):
        return "only plain 2-D pooling is known"
    if number(node, "ceil_mode", 0) or text(node, "auto_pad", "NOTSET") != "NOTSET":
        return "its padding must be explicit, without ceil_mode"
    return None


def _resize(writer: Writer, _node: ir.Node, inputs: Sequence[Tensor]) -> Tensor:
    _, height, width, _ = inputs[0].shape
    # The raw op: the public function adds shape arithmetic to the graph.
    return writer.tf.raw_ops.ResizeNearestNeighbor(images=inputs[0], size=(2 * height, 2 * width))


def _resize_problem(node: ir.Node) -> str | None:
    before, after = _image_size(node.inputs[0]), _image_size(node.outputs[0])
    doubles = before is not None and after == (2 * before[0], 2 * before[1])
    if not copies_pixels(node) or not doubles:
        return "only nearest-neighbor doubling is known"
    return None


def _concat(writer: Writer, _node: ir.Node, inputs: Sequence[Tensor]) -> Tensor:
    return writer.tf.concat(inputs, _CHANNELS)


def _hard_swish(writer: Writer, _node: ir.Node, inputs: Sequence[Tensor]) -> Tensor:
    # Written so that the converter recognizes its HARD_SWISH.
    return inputs[0] * writer.tf.nn.relu6(inputs[0] + 3.0) * (1.0 / 6.0)


def _leaky_relu(writer: Writer, node: ir.Node, inputs: Sequence[Tensor]) -> Tensor:
    return writer.tf.nn.leaky_relu(inputs[0], number(node, "alpha", 0.01))


LOWERINGS: dict[str, Lowering] = {
    "Conv": Lowering(conv, conv_problem),
    "Sigmoid": Lowering(lambda writer, _node, inputs: writer.tf.sigmoid(inputs[0]), nothing),
    "Mul": Lowering(lambda _writer, _node, inputs: inputs[0] * inputs[1], one_gates_the_other),
    "Add": Lowering(lambda _writer, _node, inputs: inputs[0] + inputs[1], same_shapes),
    "Concat": Lowering(_concat, concat_problem),
    "MaxPool": Lowering(_max_pool, _max_pool_problem),
    "Resize": Lowering(_resize, _resize_problem),
    "LeakyRelu": Lowering(_leaky_relu, nothing),
    "Relu": Lowering(lambda writer, _node, inputs: writer.tf.nn.relu(inputs[0]), nothing),
    "HardSwish": Lowering(_hard_swish, nothing),
    "ConvTranspose": Lowering(conv_transpose, plain_transposed_conv),
    "GlobalAveragePool": Lowering(tflite_attention.average, nothing),
    "GlobalMaxPool": Lowering(tflite_attention.largest, nothing),
    "ReduceMax": Lowering(tflite_attention.largest_channel, nothing),
    "Reshape": Lowering(tflite_attention.reshape, nothing),
    "Transpose": Lowering(tflite_attention.transpose, nothing),
    "MatMul": Lowering(tflite_attention.mat_mul, nothing),
    "Softmax": Lowering(tflite_attention.softmax, over_columns),
}
