"""Recognition of Hardswish as exporters write it before opset 14, by its structure."""

from __future__ import annotations

from collections.abc import Callable

from onnx import NodeProto

from .attributes import number
from .constant_folding import ConstantFolder
from .onnx_file import OnnxSource

TOLERANCE = 1e-3

GateTest = Callable[[OnnxSource, ConstantFolder, str, str], bool]


def hardswish_input(source: OnnxSource, known: ConstantFolder, node: NodeProto) -> str | None:
    """x, where `node` ends x * relu6(x + 3) / 6 in any of its spellings; else None."""
    if len(node.input) != 2:
        return None
    if node.op_type in ("Div", "Mul") and _is_sixth(known, node):
        product = source.node_of(node.input[0])
        return _product(source, known, product, _is_relu6) if product else None
    return _product(source, known, node, _is_gate)


def _product(
    source: OnnxSource, known: ConstantFolder, node: NodeProto, is_gate: GateTest
) -> str | None:
    """x, where `node` is x times a gate that depends on x alone."""
    if node.op_type != "Mul" or len(node.input) != 2:
        return None
    first, second = node.input
    x: str
    for x, gate in ((first, second), (second, first)):
        if is_gate(source, known, gate, x):
            return x
    return None


def _is_gate(source: OnnxSource, known: ConstantFolder, name: str, x: str) -> bool:
    """relu6(x + 3) / 6, as one operator or as three."""
    node = source.node_of(name)
    if node is None:
        return False
    if node.op_type == "HardSigmoid":
        alpha, beta = number(node, "alpha", 0.2), number(node, "beta", 0.5)
        return list(node.input[:1]) == [x] and abs(alpha * 6 - 1) < TOLERANCE and beta == 0.5
    return (
        len(node.input) == 2
        and _is_sixth(known, node)
        and _is_relu6(source, known, node.input[0], x)
    )


def _is_relu6(source: OnnxSource, known: ConstantFolder, name: str, x: str) -> bool:
    """relu6(x + 3)."""
    clip = source.node_of(name)
    if clip is None or clip.op_type != "Clip" or len(clip.input) != 3:
        return False
    shifted = source.node_of(clip.input[0])
    if shifted is None or shifted.op_type != "Add" or len(shifted.input) != 2:
        return False
    three = [item for item in shifted.input if item != x]
    return (
        len(three) == 1
        and known.scalar(three[0]) == 3
        and known.scalar(clip.input[1]) == 0
        and known.scalar(clip.input[2]) == 6
    )


def _is_sixth(known: ConstantFolder, node: NodeProto) -> bool:
    """Whether `node` divides its first input by 6."""
    factor = known.scalar(node.input[1])
    if factor is None:
        return False
    return factor == 6 if node.op_type == "Div" else abs(factor * 6 - 1) < TOLERANCE
