"""How the ops of attention, and of gates, become TensorFlow ops: NCHW sides in NHWC tensors."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from ..shapes import integers, size_of
from .tflite_writer import Tensor, Writer

_TO_NCHW, _TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)


def reshape(writer: Writer, node: ir.Node, inputs: Sequence[Tensor]) -> Tensor:
    """The same numbers in the order of NCHW, as other sides."""
    flat = writer.tf.reshape(_nchw(writer, inputs[0]), (-1, *size_of(node.outputs[0])))
    return _nhwc(writer, flat)


def transpose(writer: Writer, node: ir.Node, inputs: Sequence[Tensor]) -> Tensor:
    """Sides in another order, in one move."""
    order = integers(node, "perm", ())
    return writer.tf.transpose(inputs[0], [_TO_NHWC.index(order[side]) for side in _TO_NHWC])


def mat_mul(writer: Writer, _node: ir.Node, inputs: Sequence[Tensor]) -> Tensor:
    """A matrix product for each channel."""
    first, second = (_nchw(writer, tensor) for tensor in inputs)
    return _nhwc(writer, writer.tf.matmul(first, second))


def softmax(writer: Writer, _node: ir.Node, inputs: Sequence[Tensor]) -> Tensor:
    """Over the columns, which are last in NCHW."""
    return _nhwc(writer, writer.tf.nn.softmax(_nchw(writer, inputs[0])))


def average(writer: Writer, _node: ir.Node, inputs: Sequence[Tensor]) -> Tensor:
    """One value for each channel."""
    return writer.tf.reduce_mean(inputs[0], (1, 2), keepdims=True)


def largest(writer: Writer, _node: ir.Node, inputs: Sequence[Tensor]) -> Tensor:
    """The largest value of each channel."""
    return writer.tf.reduce_max(inputs[0], (1, 2), keepdims=True)


def largest_channel(writer: Writer, _node: ir.Node, inputs: Sequence[Tensor]) -> Tensor:
    """The largest value of each position."""
    return writer.tf.reduce_max(inputs[0], 3, keepdims=True)


def _nchw(writer: Writer, tensor: Tensor) -> Tensor:
    return writer.tf.transpose(tensor, _TO_NCHW)


def _nhwc(writer: Writer, tensor: Tensor) -> Tensor:
    return writer.tf.transpose(tensor, _TO_NHWC)
