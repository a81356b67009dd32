"""Boxes of heads without anchors inside a Core ML package: the expected distance of each side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....edge_runtime.metadata import BOX_SIDES, ModelMetadata
from ....edge_runtime.types import FloatArray
from .ops import Var, Writer


def decode_distributions(
    writer: Writer, heads: Sequence[Var], metadata: ModelMetadata, name: str
) -> tuple[Var, Var]:
    """Class scores (n, classes), and float32 boxes (n, 4), which are the output `name`.

    Boxes are center x, center y, width and height as fractions of the input.
    """
    mb, bins = writer.mb, metadata.reg_max
    columns = [
        mb.reshape(x=head, shape=[int(head.shape[1]), -1], name=f"cells{index}")
        for index, head in enumerate(heads)
    ]
    joined = mb.concat(values=columns, axis=1, name="logits")
    count = int(joined.shape[1])
    box = mb.slice_by_size(x=joined, begin=[0, 0], size=[BOX_SIDES * bins, count], name="bins")
    classes = mb.slice_by_size(
        x=joined, begin=[BOX_SIDES * bins, 0], size=[metadata.num_classes, count], name="classes"
    )
    scores = mb.transpose(x=mb.sigmoid(x=classes, name="chances"), perm=[1, 0], name="scores")
    # float32, because float16 cannot resolve half a pixel.
    apart = mb.reshape(
        x=mb.cast(x=box, dtype="fp32", name="bins_fp32"),
        shape=[BOX_SIDES, bins, count],
        name="sides_apart",
    )
    shares = mb.softmax(x=apart, axis=1, name="shares")
    steps = np.arange(bins, dtype=np.float32)[None, :, None]
    distances = mb.reduce_sum(
        x=mb.mul(x=shares, y=steps, name="steps"), axes=[1], keep_dims=False, name="distances"
    )
    return scores, _coordinates(writer, distances, metadata, name)


def _coordinates(writer: Writer, distances: Var, metadata: ModelMetadata, name: str) -> Var:
    """Distances (4, n) in cells to boxes (n, 4)."""
    mb = writer.mb
    sides = mb.transpose(x=distances, perm=[1, 0], name="sides")
    count = int(sides.shape[0])
    low = mb.slice_by_size(x=sides, begin=[0, 0], size=[count, 2], name="left_top")
    high = mb.slice_by_size(x=sides, begin=[0, 2], size=[count, 2], name="right_bottom")
    middle, cell = cell_constants(metadata)
    minus = mb.mul(x=low, y=np.float32(-1), name="minus")
    shift = mb.mul(x=mb.add(x=high, y=minus, name="wider"), y=cell / 2, name="shift")
    center = mb.add(x=shift, y=middle, name="center")
    size = mb.mul(x=mb.add(x=low, y=high, name="both"), y=cell, name="size")
    return mb.concat(values=[center, size], axis=1, name=name)


def cell_constants(metadata: ModelMetadata) -> tuple[FloatArray, FloatArray]:
    """(n, 2) each, as fractions of the input: the middle of every cell, and its sides."""
    height, width = metadata.input_size
    image = np.array([width, height], np.float32)
    middles, sides = [], []
    for stride in metadata.strides:
        rows, columns = np.mgrid[: height // stride, : width // stride]
        cells = np.stack([columns.ravel(), rows.ravel()], 1)
        middles.append((cells + 0.5) * stride / image)
        sides.append(np.broadcast_to(stride / image, cells.shape))
    middle, side = (np.concatenate(part).astype(np.float32) for part in (middles, sides))
    return middle, side
