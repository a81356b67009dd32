"""Checks the data flow of a .tflite graph before any interpreter opens it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .flatbuffer import UINT32, Node

GRAPH_INPUTS, GRAPH_OUTPUTS, GRAPH_OPERATORS = 1, 2, 3
OPERATOR_CODE, OPERATOR_INPUTS, OPERATOR_OUTPUTS = 0, 1, 2
OMITTED = -1

ADD, SUB = 0, 41
CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, MUL, TRANSPOSE_CONV = 3, 4, 9, 18, 67
SUMS = (ADD, SUB)
PRODUCTS = (CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, MUL, TRANSPOSE_CONV)
# XNNPACK cannot rescale by more than this between two quantized tensors; LiteRT 2.3 then crashes
# with a double free while it falls back.
MAX_RESCALE = 256.0


@dataclass(frozen=True)
class TensorFacts:
    """The facts that the check needs about a tensor.

    Attributes:
        constant: the file holds its data.
        rank: number of dimensions.
        scale: largest quantization scale; None unless int8 or uint8.
    """

    constant: bool
    rank: int
    scale: float | None


def flow_problem(
    graph: Node, tensors: Sequence[TensorFacts], builtins: Sequence[int]
) -> str | None:
    """The first problem of the operators, in words, or None.

    Each must exist, read only tensors written before it, write only tensors not written before,
    and rescale within the range of the kernels.
    """
    inputs = _indices(graph, GRAPH_INPUTS)
    outputs = _indices(graph, GRAPH_OUTPUTS)
    if not all(0 <= index < len(tensors) for index in (*inputs, *outputs)):
        return "an input or output that does not exist"
    ready = {index for index, tensor in enumerate(tensors) if tensor.constant} | set(inputs)
    for operator in graph.nodes(GRAPH_OPERATORS):
        code = operator.number(OPERATOR_CODE, UINT32)
        if code >= len(builtins):
            return "an operator that does not exist"
        reads = [index for index in _indices(operator, OPERATOR_INPUTS) if index != OMITTED]
        writes = _indices(operator, OPERATOR_OUTPUTS)
        if not ready.issuperset(reads):
            return "an operator that reads a tensor before it is written"
        if not all(0 <= index < len(tensors) and index not in ready for index in writes):
            return "an operator that writes an invalid tensor"
        if any(tensors[index].rank == 0 for index in writes):
            return "an operator that writes a tensor without a shape"
        if _rescales_too_much(builtins[code], tensors, reads, writes):
            return "a quantized operator with scales out of range"
        ready.update(writes)
    return None if ready.issuperset(outputs) else "an output that is never written"


def _rescales_too_much(
    builtin: int, tensors: Sequence[TensorFacts], reads: Sequence[int], writes: Sequence[int]
) -> bool:
    out = tensors[writes[0]].scale if writes else None
    scales = [scale for index in reads if (scale := tensors[index].scale) is not None]
    if out is None or not scales:
        return False
    if builtin in PRODUCTS:
        return math.prod(scales) >= MAX_RESCALE * out
    return builtin in SUMS and max(scales) >= MAX_RESCALE * out


def _indices(node: Node, field: int) -> list[int]:
    return [int(index) for index in node.array(field, "<i4")]
