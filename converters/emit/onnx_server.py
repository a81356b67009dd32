"""DetectorGraph to an .onnx for servers: camera bytes in, the best boxes out, any batch.

Input `frames` (batch, h, w, 3) uint8 RGB. Output `detections` (batch, k, 6) float32: left, top,
right, bottom in input pixels, confidence, class; before NMS, best objectness first, 24 KiB per
frame instead of the 8.6 MB of raw head outputs. A score is objectness times class, so no box above
a threshold is missing as long as no more than k cells have an objectness above it. Heads without
objectness give the k best by class score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx
import onnx_ir as ir

from ...edge_runtime.metadata import METADATA_KEY, SERVER_PASS, ModelMetadata
from ..graph import DetectorGraph
from .onnx import emit_onnx
from .onnx_nodes import Writer, real, whole
from .onnx_server_distribution import end_in_boxes

TOP_K = 1024
_BOX = 4


def emit_onnx_server(graph: DetectorGraph, *, half: bool = False, top_k: int = TOP_K) -> bytes:
    """The file's bytes. `half`: weights and arithmetic of the network in float16.

    Raises:
        UnsupportedModelError: a weight is too large for float16.
    """
    plain = emit_onnx(graph, half=half, dynamic_batch=True)
    model = ir.serde.deserialize_model(onnx.load_model_from_string(plain))
    metadata = graph.metadata
    writer = Writer(model.graph)
    _take_bytes(writer, metadata)
    if metadata.reg_max:
        kept = end_in_boxes(writer, metadata, top_k)
    else:
        cells = _Cells(metadata)
        kept = min(top_k, len(cells.stride))
        _end_in_boxes(writer, metadata, cells, kept)
    quantization = "fp16" if half else metadata.quantization
    described = replace(metadata, layout="NHWC", quantization=quantization)
    described = described.with_pass(SERVER_PASS, top_k=kept)
    model.metadata_props[METADATA_KEY] = described.to_json()
    return bytes(ir.to_proto(model).SerializeToString(deterministic=True))


class _Cells:
    """Position, stride and anchor of each of the N anchor cells, in the order of joined heads."""

    def __init__(self, metadata: ModelMetadata) -> None:
        tables: list[np.ndarray] = []
        for stride, anchors in zip(metadata.strides, metadata.anchors, strict=True):
            rows, columns = (side // stride for side in metadata.input_size)
            y, x = np.mgrid[:rows, :columns].reshape(2, -1).astype(np.float32)
            for width, height in anchors:
                ones = np.ones_like(x)
                tables.append(np.stack([x, y, ones * stride, ones * width, ones * height]))
        table = np.concatenate(tables, axis=1)
        self.x, self.y, self.stride, self.width, self.height = table


def _take_bytes(write: Writer, metadata: ModelMetadata) -> None:
    """(batch, h, w, 3) uint8 to the (batch, 3, h, w) float of the network."""
    graph = write.graph
    images = graph.inputs[0]
    uses = list(images.uses())
    height, width = metadata.input_size
    frames = ir.Value(
        name="frames",
        shape=ir.Shape(["batch", height, width, 3]),
        type=ir.TensorType(ir.DataType.UINT8),
    )
    graph.inputs[0] = frames
    first = graph[0]
    planes = write("Transpose", frames, perm=(0, 3, 1, 2))
    pixels = write("Cast", planes, to=ir.DataType.FLOAT)
    scaled = write("Mul", pixels, real(1 / 255))
    for value in (planes, pixels, scaled):
        node = value.producer()
        graph.remove(node)
        graph.insert_before(first, node)
    for node, index in uses:
        node.replace_input_with(index, scaled)


def _end_in_boxes(write: Writer, metadata: ModelMetadata, cells: _Cells, kept: int) -> None:
    heads = list(write.graph.outputs)
    joined = write("Concat", *_joined(write, heads, metadata), axis=2)
    objectness = write("Slice", joined, whole(_BOX), whole(_BOX + 1), whole(1))
    _, index = write("TopK", objectness, whole(kept), n=2, axis=2, sorted=1)
    channels = 5 + metadata.num_classes
    everywhere = write("Expand", index, whole(1, channels, 1))
    rows = write("GatherElements", joined, everywhere, axis=2)
    box, objectness, classes = write(
        "Split", rows, whole(_BOX, 1, metadata.num_classes), n=3, axis=1
    )
    best = write("ReduceMax", classes, axes=(1,), keepdims=1)
    score = write("Mul", write("Sigmoid", objectness), write("Sigmoid", best))
    kind = write("Cast", write("ArgMax", classes, axis=1, keepdims=1), to=ir.DataType.FLOAT)
    corners = _corners(write, write("Sigmoid", box), index, cells)
    write.finish(write("Concat", *corners, score, kind, axis=1), kept)


def _joined(write: Writer, heads: Sequence[ir.Value], metadata: ModelMetadata) -> list[ir.Value]:
    """Each head as (batch, 5 + nc, anchors * cells)."""
    channels = 5 + metadata.num_classes
    found = []
    for head, stride, anchors in zip(heads, metadata.strides, metadata.anchors, strict=True):
        rows, columns = (side // stride for side in metadata.input_size)
        apart = write("Reshape", head, whole(0, len(anchors), channels, rows * columns))
        turned = write("Transpose", apart, perm=(0, 2, 1, 3))
        found.append(write("Reshape", turned, whole(0, channels, -1)))
    return found


def _corners(write: Writer, box: ir.Value, index: ir.Value, cells: _Cells) -> list[ir.Value]:
    """YOLOv5's boxes: center (2s - 0.5 + cell) * stride, size (2s)^2 * anchor."""
    share = write("Split", write("Mul", box, real(2)), whole(1, 1, 1, 1), n=4, axis=1)
    stride = write("Gather", cells.stride, index, axis=0)
    low, high = [], []
    for center, side, cell, anchor in (
        (share[0], share[2], cells.x, cells.width),
        (share[1], share[3], cells.y, cells.height),
    ):
        shifted = write(
            "Add", write("Sub", center, real(0.5)), write("Gather", cell, index, axis=0)
        )
        middle = write("Mul", shifted, stride)
        halves = write("Gather", anchor / np.float32(2), index, axis=0)
        half = write("Mul", write("Mul", side, side), halves)
        low.append(write("Sub", middle, half))
        high.append(write("Add", middle, half))
    return [*low, *high]
