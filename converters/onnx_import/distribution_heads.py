"""Heads without anchors in an ONNX export of YOLOv5u, YOLOv8 or YOLO11, and where they end.

Per head, one convolution gives the box sides and one the class logits:

    Conv (box) ────┬─ Concat, Reshape, Split ── Softmax ── Conv (0, 1, 2 ...) ── boxes
    Conv (classes) ┴──────────────────────────────────────────────── Sigmoid ── scores

The convolution with the weights 0, 1, 2 ... is the expected distance; it is part of decoding.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from onnx import NodeProto

from ...edge_runtime.metadata import BOX_SIDES, MAX_BINS, MAX_CLASSES, MAX_HEADS, ModelMetadata
from ..graph import DetectorGraph
from ..shapes import ShapeError, size_of
from ..source_file import head_name
from .constant_folding import ConstantFolder
from .graph_rebuilder import GraphRebuilder
from .onnx_file import OnnxSource

_MOVES = ("Cast", "Identity", "Reshape", "Transpose")


@dataclass(frozen=True)
class Exported:
    """`reg_max` bins of a side, and the last convolutions' outputs in the order of the file."""

    reg_max: int
    outputs: tuple[str, ...]


def find_distributions(source: OnnxSource, known: ConstantFolder) -> Exported | None:
    """The heads; None for a file of another kind."""
    expected = {
        node.output[0]: bins
        for node in source.nodes
        if node.op_type == "Conv" and node.output and (bins := _bins(source, known, node))
    }
    if len(set(expected.values())) != 1:
        return None
    seen, found = set[str](), set[str]()
    waiting = [output.name for output in source.proto.graph.output]
    while waiting:
        name = waiting.pop()
        node = source.node_of(name)
        # A shape is read for grids, and does not lead to a head.
        if name in seen or node is None or node.op_type == "Shape":
            continue
        seen.add(name)
        if node.op_type == "Conv" and name not in expected:
            found.add(name)
        else:
            waiting.extend(node.input)
    ordered = sorted(found, key=source.producer.__getitem__)
    return Exported(next(iter(expected.values())), tuple(ordered))


def import_distributions(
    rebuilder: GraphRebuilder, exported: Exported, class_names: Callable[[int], tuple[str, ...]]
) -> DetectorGraph:
    """The graph up to the heads; `class_names` gives the names of N classes.

    Raises:
        UnsupportedModelError: the heads hold more than boxes and classes.
    """
    builder, reg_max = rebuilder.builder, exported.reg_max
    by_grid = defaultdict[tuple[int, int], list[ir.Value]](list)
    for value in rebuilder.build(exported.outputs):
        by_grid[size_of(value)[1:]].append(value)
    _, height, width = size_of(builder.input)
    heads, strides, counts = [], [], set[int]()
    for (rows, columns), values in sorted(by_grid.items(), reverse=True):
        box, classes = _box_and_classes(rebuilder, values, reg_max)
        if height % rows or height // rows * columns != width:
            raise ShapeError(f"{rows}x{columns} cells for {height}x{width} pixels")
        strides.append(height // rows)
        counts.add(size_of(classes)[0])
        heads.append(builder.concat(head_name(strides[-1]), [box, classes]))
    num_classes = counts.pop() if counts else 0
    if not num_classes or counts or len(heads) > MAX_HEADS or num_classes > MAX_CLASSES:
        raise rebuilder.source.damaged("its heads have different numbers of classes")
    metadata = ModelMetadata(
        class_names=class_names(num_classes),
        input_size=(height, width),
        strides=tuple(strides),
        anchors=((),) * len(heads),
        head_names=tuple(map(head_name, strides)),
        weights_license=rebuilder.source.properties.get("license", "")[:200],
        reg_max=reg_max,
    )
    return builder.finish(heads, metadata)


def _bins(source: OnnxSource, known: ConstantFolder, node: NodeProto) -> int:
    """The bins whose expected value a convolution gives; 0 for any other one."""
    weight = known.get(node.input[1]) if len(node.input) > 1 else None
    if weight is None or weight.ndim != 4 or not 2 <= weight.size <= MAX_BINS:
        return 0
    steps = np.arange(weight.size).reshape(1, -1, 1, 1)
    if weight.shape != steps.shape or not (weight == steps).all():
        return 0
    before = source.node_of(node.input[0])
    while before is not None and before.op_type in _MOVES and before.input:
        before = source.node_of(before.input[0])
    return int(weight.size) if before is not None and before.op_type == "Softmax" else 0


def _box_and_classes(
    rebuilder: GraphRebuilder, values: list[ir.Value], reg_max: int
) -> tuple[ir.Value, ir.Value]:
    """The two maps of one grid; the box comes first in the file where both are as wide."""
    boxes = [value for value in values if size_of(value)[0] == BOX_SIDES * reg_max]
    if len(values) != 2 or not boxes:
        raise rebuilder.unsupported(
            "its heads hold more than boxes and classes (masks, key points or angles)"
        )
    box = boxes[0]
    return box, next(value for value in values if value is not box)
