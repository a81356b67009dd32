"""Raises the operators of opsets 9 to 11 to the forms of opset 12."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import GraphProto, NodeProto, TensorProto

from .attributes import integers, number, text

RAISED_TO = 12
_FLOAT_LIMIT = float(np.finfo(np.float32).max)


def raise_operators(graph: GraphProto, opset: int) -> None:
    """Rewrite in place what has changed; `opset` is that of the file, 9 or later.

    Slice and Clip had attributes where inputs are now, Upsample is a Resize, and Resize had no
    coordinate transformation: it rounded down.
    """
    if opset >= RAISED_TO:
        return
    taken = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Slice" and len(node.input) == 1:
            _raise_slice(graph, node, taken)
        elif node.op_type == "Clip" and len(node.input) == 1:
            for key, default in (("min", -_FLOAT_LIMIT), ("max", _FLOAT_LIMIT)):
                limit = np.array(number(node, key, default), np.float32)
                node.input.append(_constant(graph, node, key, limit, taken))
            del node.attribute[:]
        elif node.op_type == "Upsample" or (node.op_type == "Resize" and opset < 11):
            _raise_resize(graph, node, taken)


def _raise_slice(graph: GraphProto, node: NodeProto, taken: set[str]) -> None:
    starts, ends = integers(node, "starts"), integers(node, "ends")
    axes = integers(node, "axes") or tuple(range(len(starts)))
    for key, values in (("starts", starts), ("ends", ends), ("axes", axes)):
        node.input.append(_constant(graph, node, key, np.array(values, np.int64), taken))
    del node.attribute[:]


def _raise_resize(graph: GraphProto, node: NodeProto, taken: set[str]) -> None:
    mode = text(node, "mode", "nearest")
    image, *scales = node.input[:2]
    if not scales:
        given = next((list(one.floats) for one in node.attribute if one.name == "scales"), [])
        scales = [_constant(graph, node, "scales", np.array(given, np.float32), taken)]
    node.op_type = "Resize"
    del node.input[:], node.attribute[:]
    node.input.extend((image, "", scales[0]))
    settings = (mode, "asymmetric", "floor")
    keys = ("mode", "coordinate_transformation_mode", "nearest_mode")
    for key, value in zip(keys, settings, strict=True):
        node.attribute.append(onnx.helper.make_attribute(key, value))


def _constant(
    graph: GraphProto, node: NodeProto, key: str, values: np.ndarray, taken: set[str]
) -> str:
    """A new initializer for an input of `node`, and its name."""
    name = f"{node.output[0] if node.output else node.name}::{key}"
    while name in taken:
        name += "'"
    taken.add(name)
    tensor: TensorProto = onnx.numpy_helper.from_array(values, name)
    graph.initializer.append(tensor)
    return name
