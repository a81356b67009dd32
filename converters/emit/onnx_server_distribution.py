"""The end of the server variant for heads without anchors: the best cells, then their boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from ...edge_runtime.metadata import BOX_SIDES, ModelMetadata
from .onnx_nodes import Writer, real, whole


def end_in_boxes(write: Writer, metadata: ModelMetadata, top_k: int) -> int:
    """Append the nodes; the number of boxes that are kept."""
    bins, classes = metadata.reg_max, metadata.num_classes
    channels = BOX_SIDES * bins + classes
    columns = [write("Reshape", head, whole(0, channels, -1)) for head in write.graph.outputs]
    joined = write("Concat", *columns, axis=2)
    table = _cells(metadata)
    kept = min(top_k, int(table.shape[1]))
    _, logits = write("Split", joined, whole(BOX_SIDES * bins, classes), n=2, axis=1)
    _, index = write("TopK", _largest(write, logits), whole(kept), n=2, axis=2, sorted=1)
    everywhere = write("Expand", index, whole(1, channels, 1))
    rows = write("GatherElements", joined, everywhere, axis=2)
    sides, logits = write("Split", rows, whole(BOX_SIDES * bins, classes), n=2, axis=1)
    score = write("Sigmoid", _largest(write, logits))
    kind = write("Cast", write("ArgMax", logits, axis=1, keepdims=1), to=ir.DataType.FLOAT)
    corners = _corners(write, _distances(write, sides, bins), index, table)
    write.finish(write("Concat", *corners, score, kind, axis=1), kept)
    return kept


def _largest(write: Writer, logits: ir.Value) -> Any:
    return write("ReduceMax", logits, axes=(1,), keepdims=1)


def _distances(write: Writer, sides: ir.Value, bins: int) -> list[ir.Value]:
    """Left, top, right and bottom in cells, (batch, 1, k) each."""
    apart = write("Reshape", sides, whole(0, BOX_SIDES, bins, -1))
    shares = write("Softmax", apart, axis=2)
    steps = np.arange(bins, dtype=np.float32)[None, None, :, None]
    distances = write("ReduceSum", write("Mul", shares, steps), whole(2), keepdims=0)
    found: list[ir.Value] = write("Split", distances, whole(1, 1, 1, 1), n=4, axis=1)
    return found


def _corners(
    write: Writer, distances: list[ir.Value], index: ir.Value, table: np.ndarray
) -> list[ir.Value]:
    """Left, top, right, bottom in input pixels."""
    stride = write("Gather", table[2], index, axis=0)
    corners = []
    for side, distance in enumerate(distances):
        middle = write("Gather", table[side % 2] + np.float32(0.5), index, axis=0)
        apart = distance if side >= 2 else write("Mul", distance, real(-1))
        corners.append(write("Mul", write("Add", middle, apart), stride))
    return corners


def _cells(metadata: ModelMetadata) -> np.ndarray:
    """(3, n): column, row and stride of every cell, in the order of joined heads."""
    tables = []
    for stride in metadata.strides:
        rows, columns = (side // stride for side in metadata.input_size)
        y, x = np.mgrid[:rows, :columns].reshape(2, -1).astype(np.float32)
        tables.append(np.stack([x, y, np.full_like(x, stride)]))
    return np.concatenate(tables, axis=1)
