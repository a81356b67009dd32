"""Resizes the input of a .tflite detector: the same weights and scales, other shapes.

A convolutional detector takes any input in multiples of its stride. The interpreter propagates new
shapes through the graph; only sizes that are constants have to be rewritten, those of RESHAPE and
of RESIZE_NEAREST_NEIGHBOR. Field numbers are those of the TFLite schema,
version 3.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..metadata import ModelMetadata
from .flatbuffer import BROKEN, INT8, INT32, UINT32, Node

MODEL_OPERATOR_CODES, MODEL_SUBGRAPHS, MODEL_BUFFERS = 1, 2, 4
CODE_OLD_BUILTIN, CODE_BUILTIN = 0, 3
GRAPH_TENSORS, GRAPH_OPERATORS = 0, 3
OPERATOR_CODE, OPERATOR_INPUTS = 0, 1
TENSOR_SHAPE, TENSOR_BUFFER = 0, 2
BUFFER_DATA = 0

ADD, CONCATENATION, CONV_2D, DEPTHWISE_CONV_2D, LOGISTIC, MAX_POOL_2D, MUL = 0, 2, 3, 4, 14, 17, 18
RELU, RESHAPE, PAD, RESIZE_NEAREST_NEIGHBOR, LEAKY_RELU, QUANTIZE = 19, 22, 34, 97, 98, 114
DEQUANTIZE, RELU6, TANH, ELU, HARD_SWISH, GELU = 6, 21, 28, 111, 117, 150
# Each output is computed from the input at the same position, so any size will do.
UNARY = frozenset({LOGISTIC, RELU, RELU6, TANH, LEAKY_RELU, ELU, HARD_SWISH, GELU})
ELEMENTWISE = frozenset({ADD, MUL, CONCATENATION})
ANY_SIZE = (
    ELEMENTWISE | UNARY | {CONV_2D, DEPTHWISE_CONV_2D, DEQUANTIZE, MAX_POOL_2D, PAD, QUANTIZE}
)
# Four int32; anything longer is not a size.
MAX_SIZES_BYTES = 16

Size = tuple[int, int]


def for_size(data: bytes, metadata: ModelMetadata, size: Size) -> bytes | None:
    """The model for another input size; None if it cannot have that.

    That is a size that is not a multiple of the stride, or see `resized`.
    """
    if not all(side > 0 and side % max(metadata.strides) == 0 for side in size):
        return None
    return resized(data, metadata.input_size, size)


def resized(data: bytes, old: Size, new: Size) -> bytes | None:
    """The model `data` of input size `old` for the input size `new`, both (height, width).

    None if an operator may depend on the input size. The input tensor keeps its old shape: set
    the new one in the interpreter.
    """
    try:
        return _rewrite(data, old, new)
    except BROKEN:
        return None


def _rewrite(data: bytes, old: Size, new: Size) -> bytes | None:
    model = Node.root(data)
    (graph,) = model.nodes(MODEL_SUBGRAPHS)
    buffers, tensors = model.nodes(MODEL_BUFFERS), graph.nodes(GRAPH_TENSORS)
    builtins = [
        max(code.number(CODE_OLD_BUILTIN, INT8), code.number(CODE_BUILTIN, INT32))
        for code in model.nodes(MODEL_OPERATOR_CODES)
    ]
    changed = bytearray(data)
    for operator in graph.nodes(GRAPH_OPERATORS):
        builtin = builtins[operator.number(OPERATOR_CODE, UINT32)]
        inputs = [tensors[int(index)] for index in operator.array(OPERATOR_INPUTS, "<i4")]
        if builtin in (RESHAPE, RESIZE_NEAREST_NEIGHBOR):
            buffer = buffers[inputs[1].number(TENSOR_BUFFER, UINT32)]
            sizes = _other_sizes(buffer.blob(BUFFER_DATA, MAX_SIZES_BYTES), builtin, old, new)
            if sizes is None:
                return None
            start = buffer.start(BUFFER_DATA)
            changed[start : start + sizes.nbytes] = sizes.tobytes()
        elif builtin not in ANY_SIZE or (
            builtin in ELEMENTWISE and _any_spatial_constant(inputs, buffers)
        ):
            return None
    return bytes(changed)


def _other_sizes(
    content: bytes, builtin: int, old: Size, new: Size
) -> npt.NDArray[np.int32] | None:
    """The constant (1, height, width, channels) of RESHAPE, (height, width) of RESIZE, scaled."""
    sizes: npt.NDArray[np.int32] = np.frombuffer(content, "<i4").copy()
    first = 1 if builtin == RESHAPE else 0
    if len(sizes) != (4 if builtin == RESHAPE else 2):
        return None
    for index, before, after in zip((first, first + 1), old, new, strict=True):
        scaled, rest = divmod(int(sizes[index]) * after, before)
        if rest or scaled < 1:
            return None
        sizes[index] = scaled
    return sizes


def _any_spatial_constant(inputs: list[Node], buffers: list[Node]) -> bool:
    """Whether one of the inputs is a constant with a height or width above 1."""
    for tensor in inputs:
        shape = tensor.array(TENSOR_SHAPE, "<i4")
        constant = buffers[tensor.number(TENSOR_BUFFER, UINT32)].size(BUFFER_DATA) > 0
        if constant and any(side > 1 for side in shape[-3:-1]):
            return True
    return False
