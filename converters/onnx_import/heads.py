"""Where the raw head outputs end and YOLOv5's decode tail begins.

Every head is, whatever the exporter and its version:

    Conv ── Reshape (n, na, no, h, w) ── Transpose 0 1 3 4 2 ── Sigmoid ─┬─ (* 2 + grid) * stride
                                                                         ├─ (* 2) ** 2 * anchors
                                                                         └─ confidences
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from onnx import NodeProto

from .attributes import integers
from .constant_folding import ConstantFolder
from .onnx_file import OnnxSource

MAX_TAIL = 200

Pairs = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Tail:
    """One head's convolution and the Reshape and Transpose after it."""

    conv: NodeProto
    reshape: NodeProto
    transpose: NodeProto


def find_tails(source: OnnxSource) -> list[Tail]:
    """The heads in the order of the file, each convolution once."""
    tails = (
        Tail(conv, reshape, transpose)
        for conv in source.nodes
        if conv.op_type == "Conv" and conv.output
        for reshape in _reading(source, conv, "Reshape")
        for transpose in _reading(source, reshape, "Transpose")
        if integers(transpose, "perm") == (0, 1, 3, 4, 2)
    )
    return list({tail.conv.output[0]: tail for tail in tails}.values())


def is_detection(source: OnnxSource, tail: Tail) -> bool:
    """Whether all of the head goes through one sigmoid; masks of a segmentation head do not."""
    readers = source.nodes_reading(tail.transpose.output[0])
    return not readers or any(_skip_cast(source, node).op_type == "Sigmoid" for node in readers)


def mask_channels(source: OnnxSource, known: ConstantFolder, tail: Tail) -> int | None:
    """Channels per anchor of a segmentation head that are coefficients of masks; else None.

    Such a head is split into centers, sizes, confidences, which go through sigmoids, and masks.
    """
    for node in _reading(source, tail.transpose, "Split"):
        sizes = known.get(node.input[1]) if len(node.input) > 1 else None
        parts = integers(node, "split") if sizes is None else tuple(sizes.ravel().tolist())
        if len(parts) != 4 or len(node.output) != 4 or parts[:2] != (2, 2):
            continue
        activated = [
            any(_skip_cast(source, reader).op_type == "Sigmoid" for reader in readers)
            for readers in map(source.nodes_reading, node.output)
        ]
        if activated == [True, True, True, False]:
            return int(parts[3])
    return None


def anchors_per_cell(known: ConstantFolder, tail: Tail) -> int | None:
    """`na` from the Reshape; None where it cannot be known."""
    shape = known.get(tail.reshape.input[1]) if len(tail.reshape.input) > 1 else None
    if shape is None or shape.size != 5:
        return None
    return int(shape.ravel()[1])


def find_anchors(source: OnnxSource, known: ConstantFolder, tail: Tail, count: int) -> Pairs | None:
    """The head's `count` anchors, (width, height) in input pixels; None where there are none."""
    for node in _downstream(source, tail.transpose):
        if node.op_type != "Mul" or len(node.input) != 2:
            continue
        for squared, factor in (node.input, node.input[::-1]):
            if _is_square(source, known, squared):
                pairs = _pairs(known.get(factor), count)
                if pairs is not None:
                    return pairs
    return None


def _reading(source: OnnxSource, node: NodeProto, op_type: str) -> Iterator[NodeProto]:
    """The readers of `node`'s output, behind casts, that are of one type."""
    for reader in source.nodes_reading(node.output[0]) if node.output else ():
        reader = _skip_cast(source, reader)
        if reader.op_type == op_type and reader.output:
            yield reader


def _skip_cast(source: OnnxSource, node: NodeProto) -> NodeProto:
    """The node after a cast or identity, else the node itself."""
    if node.op_type not in ("Cast", "Identity") or not node.output:
        return node
    readers = source.nodes_reading(node.output[0])
    return readers[0] if len(readers) == 1 else node


def _downstream(source: OnnxSource, start: NodeProto) -> Iterator[NodeProto]:
    """The nodes after `start`, nearest first."""
    waiting = deque([start])
    seen = {start.output[0]}
    for _ in range(MAX_TAIL):
        if not waiting:
            return
        outputs = waiting.popleft().output
        for reader in chain.from_iterable(map(source.nodes_reading, outputs)):
            if reader.output and reader.output[0] not in seen:
                seen.add(reader.output[0])
                waiting.append(reader)
                yield reader


def _is_square(source: OnnxSource, known: ConstantFolder, name: str) -> bool:
    """Whether `name` is something to the power of two."""
    node = source.node_of(name)
    if node is None or len(node.input) != 2:
        return False
    if node.op_type == "Pow":
        return known.scalar(node.input[1]) == 2.0
    return node.op_type == "Mul" and node.input[0] == node.input[1]


def _pairs(factor: np.ndarray | None, count: int) -> Pairs | None:
    """(1, na, h, w, 2), the same in every cell, to na pairs."""
    if factor is None or factor.ndim > 5 or factor.size < 2 * count:
        return None
    grid = factor.reshape((1,) * (5 - factor.ndim) + factor.shape).astype(np.float64)
    first = grid[:, :, :1, :1]
    if first.shape != (1, count, 1, 1, 2) or not (grid == first).all():
        return None
    return tuple((float(width), float(height)) for width, height in first[0, :, 0, 0])
