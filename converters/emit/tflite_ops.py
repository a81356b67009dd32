"""How each op of the graph becomes TensorFlow ops, as a table.

A lowering is two short functions: `problem` says why a node cannot be written (None when it can),
`emit` writes it. Tensors are (batch, height, width, channels) throughout; what the graph says in
NCHW (kernels, axes) is turned here, in `_hwio` and `_CHANNELS`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from ...edge_runtime.types import FloatArray
from ..shapes import integers, size_of
from . import tflite_attention
from .nodes import (
    bias_or_zero,
    concat_problem,
    constant_or_none,
    copies_pixels,
    nothing,
    number,
    one_gates_the_other,
    over_columns,
    plain_transposed_conv,
    same_shapes,
    text,
)

Tensor = Any
_CHANNELS = 3
_HALF_A_LOAD = 4


@dataclass(frozen=True)
class Writer:
    """TensorFlow, and what makes a constant of weights.

    `weights`: from an array, the value that it came from, and whether each output channel (its
    last side) may have a scale of its own.
    """

    tf: Any
    weights: Callable[[FloatArray, ir.Value, bool], Tensor]


@dataclass(frozen=True)
class Lowering:
    """How to write a node, and why it cannot be written (None when it can)."""

    emit: Callable[[Writer, ir.Node, Sequence[Tensor]], Tensor]
    problem: Callable[[ir.Node], str | None]


def _image_size(value: ir.Value | None) -> tuple[int, int] | None:
    """(height, width) of a value, None unless both are known."""
    if value is None or value.shape is None or len(value.shape) != 4:
        return None
    height, width = value.shape[2], value.shape[3]
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None


def _ungrouped(node: ir.Node, kernel: FloatArray) -> FloatArray:
    """The kernel of a convolution in groups as one over all channels, zero outside its group."""
    groups = int(number(node, "group", 1))
    if groups == 1:
        return kernel
    outputs, inputs = len(kernel) // groups, kernel.shape[1]
    whole = np.zeros((len(kernel), inputs * groups, *kernel.shape[2:]), np.float32)
    for group in range(groups):
        rows = slice(group * outputs, (group + 1) * outputs)
        whole[rows, group * inputs : (group + 1) * inputs] = kernel[rows]
    return whole


def _hwio(kernel: FloatArray) -> FloatArray:
    """(out, in, h, w) of the graph to (h, w, in, out) of TensorFlow."""
    moved: FloatArray = kernel.transpose(2, 3, 1, 0)
    return moved


def pads_like_same(
    size: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
) -> bool:
    """Whether ONNX `pads` (top, left, bottom, right) are what SAME adds to `size` (h, w).

    SAME puts the odd pixel at the end, so that stride 2 on an even side often differs.
    """
    for side, window, step, before, after in zip(
        size, kernel, strides, pads[:2], pads[2:], strict=True
    ):
        total = max(0, (-(-side // step) - 1) * step + window - side)
        if (before, after) != (total // 2, total - total // 2):
            return False
    return True


def _conv(writer: Writer, node: ir.Node, inputs: Sequence[Tensor]) -> Tensor:
    tf, source = writer.tf, inputs[0]
    kernel, bias = constant_or_none(node, 1), bias_or_zero(node)
    assert kernel is not None
    assert bias is not None
    strides, pads = integers(node, "strides", (1, 1)), integers(node, "pads", (0, 0, 0, 0))
    kernel = _hwio(kernel if _is_depthwise(node) else _ungrouped(node, kernel))
    if _pays_in_pairs(source.shape, kernel.shape, strides, pads):
        source, kernel, strides, pads = _in_pairs(tf, source, kernel, strides, pads)
    source_of_weights = node.inputs[1]
    assert source_of_weights is not None
    weights = writer.weights(kernel, source_of_weights, True)
    product = convolve(tf, source, weights, strides, pads, depthwise=_is_depthwise(node))
    return tf.nn.bias_add(product, bias)


def convolve(
    tf: Any,
    source: Tensor,
    kernel: Tensor,
    strides: Sequence[int],
    pads: Sequence[int],
    *,
    depthwise: bool,
) -> Tensor:
    """A convolution with ONNX `pads` (top, left, bottom, right) and an (h, w, in, out) kernel."""
    padding = "VALID"
    if pads_like_same(source.shape[1:3], kernel.shape[:2], strides, pads):
        padding = "SAME"
    elif any(pads):
        top, left, bottom, right = pads
        source = tf.pad(source, ((0, 0), (top, bottom), (left, right), (0, 0)))
    if depthwise:
        by_channel = tf.transpose(kernel, (0, 1, 3, 2))
        return tf.nn.depthwise_conv2d(source, by_channel, (1, *strides, 1), padding)
    return tf.nn.conv2d(source, kernel, strides, padding)


def _pays_in_pairs(
    source: Sequence[int], kernel: Sequence[int], strides: Sequence[int], pads: Sequence[int]
) -> bool:
    """Whether two neighboring pixels can be taken as one of twice the channels.

    Kernels for int8 read eight channels at a time. The three of an image fill less than half of
    that and the six of two pixels most, so that the first layer takes half the time.
    """
    even = not any(side % 2 for side in (source[2], kernel[1], strides[1], pads[1], pads[3]))
    return even and source[3] == kernel[2] <= _HALF_A_LOAD


def _in_pairs(
    tf: Any,
    source: Tensor,
    kernel: FloatArray,
    strides: Sequence[int],
    pads: Sequence[int],
) -> tuple[Tensor, FloatArray, tuple[int, ...], tuple[int, ...]]:
    """The same convolution over pairs of columns; in NHWC these lie side by side already."""
    _, height, width, channels = source.shape
    rows, columns, _, outputs = kernel.shape
    top, left, bottom, right = pads
    return (
        tf.reshape(source, (1, height, width // 2, 2 * channels)),
        kernel.reshape(rows, columns // 2, 2 * channels, outputs),
        (strides[0], strides[1] // 2),
        (top, left // 2, bottom, right // 2),
    )


def _is_depthwise(node: ir.Node) -> bool:
    """Whether each channel has its own kernel (a lone batch norm folds into such a node)."""
    kernel, group = constant_or_none(node, 1), int(number(node, "group", 1))
    return kernel is not None and group > 1 and kernel.shape[:2] == (group, 1)


def _conv_problem(node: ir.Node) -> str | None:
    kernel, bias = constant_or_none(node, 1), bias_or_zero(node)
    if kernel is None or bias is None:
        return "its kernel and bias must be constants"
    if kernel.ndim != 4:
        return "only 2-D convolutions are known"
    if set(integers(node, "dilations", (1, 1))) != {1}:
        return "dilated convolutions are not known"
    if text(node, "auto_pad", "NOTSET") != "NOTSET":
        return "its padding must be explicit"
    return None


def _conv_transpose(writer: Writer, node: ir.Node, inputs: Sequence[Tensor]) -> Tensor:
    """Written over all channels, for TFLite has none in groups; the padding is cut off."""
    tf, source = writer.tf, inputs[0]
    kernel, bias, weights = constant_or_none(node, 1), constant_or_none(node, 2), node.inputs[1]
    assert kernel is not None
    assert bias is not None
    assert weights is not None
    group, strides = int(number(node, "group", 1)), integers(node, "strides", (1, 1))
    top, left, bottom, right = integers(node, "pads", (0, 0, 0, 0))
    if group > 1:
        by_output = kernel.reshape(group, -1, *kernel.shape[1:]).swapaxes(1, 2)
        by_output = by_output.reshape(-1, *by_output.shape[2:])
        kernel = _ungrouped(node, by_output).swapaxes(0, 1)
    _, height, width = size_of(node.outputs[0])
    sides, windows = source.shape[1:3], kernel.shape[2:]
    whole = [(n - 1) * step + k for n, step, k in zip(sides, strides, windows, strict=True)]
    same = all(
        (k - step) // 2 == before and k - step - before == after >= before
        for k, step, before, after in zip(
            windows, strides, (top, left), (bottom, right), strict=True
        )
    )
    # One scale for all: the converter does not move scales of channels to another side.
    turned = np.ascontiguousarray(kernel.transpose(2, 3, 1, 0))
    made = tf.nn.conv2d_transpose(
        source,
        writer.weights(turned, weights, False),
        (source.shape[0], *((height, width) if same else whole), kernel.shape[1]),
        strides,
        "SAME" if same else "VALID",
    )
    made = tf.nn.bias_add(made, bias)
    return made if same else made[:, top : top + height, left : left + width, :]


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
    "Conv": Lowering(_conv, _conv_problem),
    "Sigmoid": Lowering(lambda writer, _node, inputs: writer.tf.sigmoid(inputs[0]), nothing),
    "Mul": Lowering(lambda _writer, _node, inputs: inputs[0] * inputs[1], one_gates_the_other),
    "Add": Lowering(lambda _writer, _node, inputs: inputs[0] + inputs[1], same_shapes),
    "Concat": Lowering(_concat, concat_problem),
    "MaxPool": Lowering(_max_pool, _max_pool_problem),
    "Resize": Lowering(_resize, _resize_problem),
    "LeakyRelu": Lowering(_leaky_relu, nothing),
    "Relu": Lowering(lambda writer, _node, inputs: writer.tf.nn.relu(inputs[0]), nothing),
    "HardSwish": Lowering(_hard_swish, nothing),
    "ConvTranspose": Lowering(_conv_transpose, plain_transposed_conv),
    "GlobalAveragePool": Lowering(tflite_attention.average, nothing),
    "GlobalMaxPool": Lowering(tflite_attention.largest, nothing),
    "ReduceMax": Lowering(tflite_attention.largest_channel, nothing),
    "Reshape": Lowering(tflite_attention.reshape, nothing),
    "Transpose": Lowering(tflite_attention.transpose, nothing),
    "MatMul": Lowering(tflite_attention.mat_mul, nothing),
    "Softmax": Lowering(tflite_attention.softmax, over_columns),
}
