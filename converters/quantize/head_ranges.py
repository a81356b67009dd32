"""Ranges of the head outputs: what their rounding and cutting does to detections.

One scale holds the boxes, the objectness and the classes of a head. Boxes lie between -4 and 5 and
want small steps; class logits reach 8, where a score says nothing more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from ...edge_runtime.metadata import BOX_SIDES, ModelMetadata
from ...edge_runtime.types import FloatArray, Image
from ..distance.heads import detection_error
from ..graph import INPUT_NAME, DetectorGraph
from .scheme import Ranges
from .sensitivity import rounding_grid
from .statistics import to_input
from .stepping import libraries

_HIGHS = (4.0, 4.5, 5.0, 5.5, 6.0, 7.0)
# Cells where something may be: the most confident ones of all images.
_CELLS = 4096

Limits = tuple[float, float]


def choose_head_ranges(
    metadata: ModelMetadata, heads: Sequence[FloatArray], ranges: Ranges
) -> dict[str, Limits]:
    """The range of each head by name, its upper end where detections change by the minimum.

    `heads` are raw head outputs (n, channels, h, w) in the order of the metadata, `ranges` what all
    images take. Each head is rounded alone.
    """
    cells = [_confident(metadata, index, head) for index, head in enumerate(heads)]
    chosen: dict[str, Limits] = {}
    for index, name in enumerate(metadata.head_names):
        low, high = ranges[name]
        ends = [(low, one) for one in (*_HIGHS, high) if one <= high]
        errors = []
        for end in ends:
            rounded = [*cells]
            rounded[index] = round_to_range(cells[index], end)
            errors.append(detection_error(metadata, rounded, cells))
        chosen[name] = ends[int(np.argmin(errors))]
    return chosen


def run_float(graph: DetectorGraph, images: Sequence[Image]) -> list[FloatArray]:
    """The heads over (h, w, 3) uint8 RGB images, joined along the first axis."""
    _, runtime = libraries()
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    session = runtime.InferenceSession(
        ir.to_proto(graph.model).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = list(graph.metadata.head_names)
    found = [session.run(names, {INPUT_NAME: to_input(image)}) for image in images]
    return [np.concatenate(arrays) for arrays in zip(*found, strict=True)]


def round_to_range(values: FloatArray, limits: Limits) -> FloatArray:
    """`values` on the int8 grid over `limits`, which hold zero."""
    scale, zero = rounding_grid(limits)
    steps = np.clip(np.rint(values / np.float32(scale)) + zero, -128, 127)
    rounded: FloatArray = ((steps - zero) * np.float32(scale)).astype(np.float32)
    return rounded


def _confident(metadata: ModelMetadata, index: int, head: FloatArray) -> FloatArray:
    """The most confident cells of a head in a row, (1, channels, 1, cells)."""
    rows = head.transpose(0, 2, 3, 1).reshape(-1, head.shape[1])
    if metadata.reg_max:
        scores = rows[:, BOX_SIDES * metadata.reg_max :].max(axis=1)
    else:
        anchors = len(metadata.anchors[index])
        scores = rows.reshape(len(rows), anchors, -1)[:, :, 4].max(axis=1)
    best = np.argsort(-scores, kind="stable")[:_CELLS]
    return np.ascontiguousarray(rows[best].T[None, :, None])
