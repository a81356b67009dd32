"""A small detector without anchors, and its boxes computed in numpy."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from tallylens.converters.builder import GraphBuilder
from tallylens.converters.graph import DetectorGraph
from tallylens.edge_runtime.metadata import ModelMetadata
from tallylens.edge_runtime.types import FloatArray

BINS, CLASSES = 8, 3
STRIDES = (8, 16)


def build_distribution_graph(size: tuple[int, int] = (64, 96), width: int = 8) -> DetectorGraph:
    """Random weights from a fixed seed; per head one convolution for the box, one for classes."""
    random = np.random.default_rng(11)
    builder = GraphBuilder(size, batch=1)

    def conv(name: str, x: ir.Value, inputs: int, outputs: int, stride: int = 1) -> ir.Value:
        side = 2 * stride - 1
        weight = random.normal(0, 2 * (inputs * side) ** -1, (outputs, inputs, side, side))
        return builder.conv(
            name,
            x,
            weight.astype(np.float32),
            random.normal(0, 1, outputs).astype(np.float32),
            strides=(stride, stride),
            pads=((side - 1) // 2,) * 4,
        )

    x = builder.input
    for number, inputs in enumerate((3, width, width)):
        x = builder.silu(f"stem{number}", conv(f"stem{number}", x, inputs, width, 2))
    features = [x, builder.silu("deep", conv("deep", x, width, width, 2))]
    heads = [
        builder.concat(
            f"detect{number}",
            [conv(f"box{number}", x, width, 4 * BINS), conv(f"classes{number}", x, width, CLASSES)],
        )
        for number, x in enumerate(features)
    ]
    metadata = ModelMetadata(
        class_names=("car", "bus", "person"),
        input_size=size,
        strides=STRIDES,
        anchors=((), ()),
        head_names=("head8", "head16"),
        source_name="tiny.pt",
        reg_max=BINS,
    )
    return builder.finish(heads, metadata)


def boxes_of(heads: list[FloatArray], classes: int = CLASSES) -> FloatArray:
    """(n, 4 + classes) x1, y1, x2, y2 in pixels and class scores, of outputs (1, c, h, w)."""
    tables = []
    for head, stride in zip(heads, STRIDES, strict=True):
        real = head[0].astype(np.float64)
        bins = np.exp(real[: 4 * BINS].reshape(4, BINS, *real.shape[1:]))
        steps = np.arange(BINS)[None, :, None, None]
        left, top, right, bottom = (bins * steps).sum(1) / bins.sum(1)
        y, x = np.mgrid[: real.shape[1], : real.shape[2]] + 0.5
        box = np.stack([x - left, y - top, x + right, y + bottom]) * stride
        scores = 1 / (1 + np.exp(-real[4 * BINS :]))
        tables.append(np.concatenate([box, scores]).reshape(4 + classes, -1).T)
    return np.concatenate(tables)
