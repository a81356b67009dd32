"""How convolutions become TensorFlow ops: kernels and padding of NCHW in NHWC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from ...edge_runtime.types import FloatArray
from ..shapes import integers, size_of
from . import nodes
from .nodes import bias_or_zero, constant_or_none, number
from .tflite_writer import Tensor, Writer

_HALF_A_LOAD = 4


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


def conv(writer: Writer, node: ir.Node, inputs: Sequence[Tensor]) -> Tensor:
    """A convolution, in groups as one over all channels."""
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


def conv_problem(node: ir.Node) -> str | None:
    """Why a convolution cannot be written, or None."""
    if set(integers(node, "dilations", (1, 1))) != {1}:
        return "dilated convolutions are not known"
    return nodes.conv_problem(node)


def conv_transpose(writer: Writer, node: ir.Node, inputs: Sequence[Tensor]) -> Tensor:
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
