"""Attributes of ONNX nodes by name, with the type that the operator's definition gives them."""

from __future__ import annotations

from onnx import AttributeProto, NodeProto


def _find(node: NodeProto, name: str, kind: int) -> AttributeProto | None:
    found = (entry for entry in node.attribute if entry.name == name and entry.type == kind)
    return next(found, None)


def integer(node: NodeProto, name: str, default: int) -> int:
    """One whole number."""
    entry = _find(node, name, AttributeProto.INT)
    return default if entry is None else int(entry.i)


def integers(node: NodeProto, name: str, default: tuple[int, ...] = ()) -> tuple[int, ...]:
    """Several whole numbers."""
    entry = _find(node, name, AttributeProto.INTS)
    return default if entry is None else tuple(entry.ints)


def number(node: NodeProto, name: str, default: float) -> float:
    """One floating point number."""
    entry = _find(node, name, AttributeProto.FLOAT)
    return default if entry is None else float(entry.f)


def text(node: NodeProto, name: str, default: str) -> str:
    """A word."""
    entry = _find(node, name, AttributeProto.STRING)
    return default if entry is None else entry.s.decode("utf-8", "replace")
