"""Checks the content of a .tflite file before any interpreter opens it.

LiteRT verifies the flatbuffer's offsets, but trusts its content: a zero point out of the range of
int8, or a buffer that is shorter than its tensor's shape, crashes the process.
Field numbers are those of the TFLite schema, version 3.
"""

from __future__ import annotations

import math

import numpy as np

from ..errors import ModelError, UnsupportedModelError
from .flatbuffer import BROKEN, INT8, INT32, UINT32, Node
from .tflite_flow import TensorFacts, flow_problem

MODEL_OPERATOR_CODES, MODEL_SUBGRAPHS, MODEL_BUFFERS = 1, 2, 4
CODE_OLD_BUILTIN, CODE_CUSTOM_NAME, CODE_BUILTIN = 0, 1, 3
GRAPH_TENSORS = 0
TENSOR_SHAPE, TENSOR_TYPE, TENSOR_BUFFER, TENSOR_QUANTIZATION, TENSOR_SPARSITY = 0, 1, 2, 4, 6
QUANTIZATION_SCALE, QUANTIZATION_ZERO_POINT, QUANTIZATION_AXIS = 2, 3, 6
BUFFER_DATA, BUFFER_OFFSET = 0, 1

CUSTOM = 32
MAX_RANK = 8
MAX_TENSOR_BYTES = 1 << 31
# By TensorType: float32, float16, int32, uint8, int64, bool, int16, int8. Detectors use no others.
ELEMENT_BYTES = {0: 4, 1: 2, 2: 4, 3: 1, 4: 8, 6: 1, 7: 2, 9: 1}
# Zero points of uint8 and int8 tensors; those of other types, and per channel, are 0.
ZERO_POINTS = {3: (0, 255), 9: (-128, 127)}


def check_tflite(data: bytes, path: str) -> None:
    """Raise ModelError if the model is inconsistent, UnsupportedModelError for custom operators."""
    try:
        model = Node.root(data)
        _refuse_custom_ops(model, path)
        problem = _first_problem(model)
    except BROKEN as error:
        problem = str(error)
    if problem:
        raise ModelError(
            path, f"the TFLite model is damaged ({problem})", "Copy or convert it again"
        )


def _refuse_custom_ops(model: Node, path: str) -> None:
    for code in model.nodes(MODEL_OPERATOR_CODES):
        name = code.blob(CODE_CUSTOM_NAME, 200).decode(errors="replace")
        if name or _builtin(code) == CUSTOM:
            raise UnsupportedModelError(
                path,
                f"the TFLite model needs the custom operator {name!r}",
                "Convert the original checkpoint with tallylens convert, which avoids them",
            )


def _builtin(code: Node) -> int:
    return max(code.number(CODE_OLD_BUILTIN, INT8), code.number(CODE_BUILTIN, INT32))


def _first_problem(model: Node) -> str | None:
    graphs = model.nodes(MODEL_SUBGRAPHS)
    if len(graphs) != 1:
        return f"{len(graphs)} subgraphs instead of one"
    buffers = model.nodes(MODEL_BUFFERS)
    if any(buffer.has(BUFFER_OFFSET) for buffer in buffers):
        return "weights outside the flatbuffer"
    sizes = [buffer.size(BUFFER_DATA) for buffer in buffers]
    tensors = graphs[0].nodes(GRAPH_TENSORS)
    problems = [_tensor_problem(tensor, sizes) for tensor in tensors]
    wrong = next(((i, problem) for i, problem in enumerate(problems) if problem), None)
    if wrong:
        return f"tensor {wrong[0]} has {wrong[1]}"
    facts = [_facts(tensor, sizes) for tensor in tensors]
    return flow_problem(graphs[0], facts, [_builtin(c) for c in model.nodes(MODEL_OPERATOR_CODES)])


def _facts(tensor: Node, buffer_sizes: list[int]) -> TensorFacts:
    shape = tensor.array(TENSOR_SHAPE, "<i4")
    constant = 0 in shape or buffer_sizes[tensor.number(TENSOR_BUFFER, UINT32)] > 0
    scale = None
    if tensor.number(TENSOR_TYPE, INT8) in ZERO_POINTS and tensor.has(TENSOR_QUANTIZATION):
        scales = tensor.node(TENSOR_QUANTIZATION).array(QUANTIZATION_SCALE, "<f4")
        scale = float(scales.max()) if len(scales) else None
    return TensorFacts(constant, len(shape), scale)


def _tensor_problem(tensor: Node, buffer_sizes: list[int]) -> str | None:
    shape = [int(side) for side in tensor.array(TENSOR_SHAPE, "<i4")]
    element = ELEMENT_BYTES.get(tensor.number(TENSOR_TYPE, INT8))
    buffer = tensor.number(TENSOR_BUFFER, UINT32)
    if element is None:
        return "an element type that detectors do not use"
    if len(shape) > MAX_RANK or any(side < 0 for side in shape):
        return f"the invalid shape {shape}"
    size = element * math.prod(shape)
    if size > MAX_TENSOR_BYTES:
        return "more than 2 GiB"
    if buffer >= len(buffer_sizes):
        return "a buffer that does not exist"
    if buffer_sizes[buffer] not in (0, size):
        return f"{buffer_sizes[buffer]} bytes of data for {size}"
    if tensor.has(TENSOR_SPARSITY):
        return "sparse data"
    if tensor.has(TENSOR_QUANTIZATION):
        zero_points = ZERO_POINTS.get(tensor.number(TENSOR_TYPE, INT8), (0, 0))
        return _quantization_problem(tensor.node(TENSOR_QUANTIZATION), shape, zero_points)
    return None


def _quantization_problem(
    quantization: Node, shape: list[int], allowed: tuple[int, int]
) -> str | None:
    scales = quantization.array(QUANTIZATION_SCALE, "<f4")
    zero_points = quantization.array(QUANTIZATION_ZERO_POINT, "<i8")
    axis = quantization.number(QUANTIZATION_AXIS, INT32)
    if not (np.isfinite(scales) & (scales > 0)).all():
        return "a quantization scale that is not above zero"
    if len(scales) > 1:
        allowed = (0, 0)
        if not 0 <= axis < len(shape) or shape[axis] != len(scales):
            return f"{len(scales)} quantization scales for the shape {shape}"
    if len(zero_points) not in (0, len(scales)):
        return f"{len(zero_points)} zero points for {len(scales)} scales"
    if ((zero_points < allowed[0]) | (zero_points > allowed[1])).any():
        return "a zero point out of its range"
    return None
