"""Sensitivity: the head error when some of a group's channels are removed, measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from ...edge_runtime.types import FloatArray, Image
from ..distance.heads import detection_error
from ..graph import INPUT_NAME, DetectorGraph
from ..quantize.statistics import to_input
from .channel_removal import copy_of, weights_of
from .channels import ChannelGroup, Channels, groups_of
from .layerwise import open_session
from .moments import Doubles, matrix_of
from .refit import set_matrix
from .selection import Reader, elimination

# Widths that fill a vector register or a tile of every engine.
MULTIPLE = 8
_STEPS = 3


@dataclass(frozen=True)
class Curve:
    """A group's channels in order of removal, and the head error by number removed."""

    group: str
    order: tuple[int, ...]
    errors: Mapping[int, float]


def steps(width: int) -> list[int]:
    """How many channels of `width` to try without: up to half, the rest a multiple of 8."""
    each = max(MULTIPLE, width // 2 // _STEPS // MULTIPLE * MULTIPLE)
    first = width % MULTIPLE or each
    return list(range(first, max(width // 2, first) + 1, each)) if width > first else []


def measure_curves(
    graph: DetectorGraph,
    channels: Channels,
    moments: Mapping[str, Doubles],
    images: Sequence[Image],
    on_group: Callable[[], None] | None = None,
) -> list[Curve]:
    """A curve for each group that can lose channels.

    `moments` are the second moments of what each Conv sees, by its name.
    """
    inputs = [to_input(image) for image in images]
    reference = run_heads(graph, inputs)
    curves = []
    for group in channels.groups:
        stops = steps(len(group.channels))
        if stops:
            order, matrices = elimination(
                _readers(graph, channels, group, moments), group.channels, stops
            )
            errors = {
                count: _error(graph, found, inputs, reference) for count, found in matrices.items()
            }
            curves.append(Curve(group.name, tuple(order), errors))
        if on_group:
            on_group()
    return curves


def run_heads(graph: DetectorGraph, inputs: Sequence[FloatArray]) -> list[FloatArray]:
    """The heads over `inputs` (1, 3, h, w), joined along the first axis."""
    session = open_session(ir.to_proto(graph.model).SerializeToString())
    names = list(graph.metadata.head_names)
    found = [session.run(names, {INPUT_NAME: one}) for one in inputs]
    return [np.concatenate(arrays) for arrays in zip(*found, strict=True)]


def _error(
    graph: DetectorGraph,
    matrices: Mapping[str, Doubles],
    inputs: Sequence[FloatArray],
    reference: Sequence[FloatArray],
) -> float:
    changed = copy_of(graph)
    for node in list(changed.model.graph):
        if str(node.name) in matrices:
            set_matrix(changed.model, node, matrices[str(node.name)])
    return detection_error(graph.metadata, run_heads(changed, inputs), reference)


def _readers(
    graph: DetectorGraph,
    channels: Channels,
    group: ChannelGroup,
    moments: Mapping[str, Doubles],
) -> list[Reader]:
    readers = []
    for node in graph.model.graph:
        if node.op_type != "Conv" or groups_of(node) != 1:
            continue
        source = node.inputs[0]
        assert source is not None
        ids = channels.ids[str(source.name)]
        if np.isin(ids, group.channels).any():
            matrix = matrix_of(node).astype(np.float64)
            taps = int(np.prod(weights_of(node)[0].shape[2:]))
            owner = np.append(np.repeat(ids, taps), -1)
            moment = moments[str(node.name)]
            energy = _variance(matrix, moment)
            readers.append(Reader(str(node.name), matrix, owner, moment, 1 / max(energy, 1e-12)))
    return readers


def _variance(matrix: Doubles, moment: Doubles) -> float:
    """Variance of the outputs, summed; the last input is the constant one."""
    mean = moment[-1] @ matrix
    return float(np.einsum("io,ij,jo->", matrix, moment, matrix, optimize=True) - mean @ mean)
