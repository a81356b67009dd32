"""Structured channel pruning: removes MACs where the head outputs change little."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from ...edge_runtime.errors import InputError, UnsupportedModelError, UsageError
from ...edge_runtime.progress import Progress, no_progress
from ...edge_runtime.types import FloatArray, Image
from ..distance.heads import detection_error
from ..graph import DetectorGraph
from ..operators import set_input
from .allocation import allocate
from .channel_removal import copy_of, remove_channels
from .channels import Channels, find_channels, groups_of
from .cost import CostModel, multiply_adds
from .layerwise import walk
from .moments import Doubles, Sampler, matrix_of, second_moment
from .refit import Outputs, refit
from .sensitivity import measure_curves

MAX_IMAGES = 128
# Every eighth image measures what the others fitted.
_PROBE_EVERY = 8
_SIDE = 416


@dataclass(frozen=True)
class Pruned:
    """A pruned graph, and the channels of the whole one that each value keeps, by value name."""

    graph: DetectorGraph
    kept: Mapping[str, npt.NDArray[np.int64]]


def prune(
    graph: DetectorGraph,
    fraction: float,
    images: Iterable[Image],
    *,
    progress: Progress | None = None,
) -> DetectorGraph:
    """The graph alone of `prune_channels`."""
    return prune_channels(graph, fraction, images, progress=progress).graph


def prune_channels(
    graph: DetectorGraph,
    fraction: float,
    images: Iterable[Image],
    *,
    progress: Progress | None = None,
) -> Pruned:
    """A copy of `graph` with at least `fraction` fewer MACs, without training.

    Whole channels go, in groups as `find_channels` ties them, widths stay multiples of 8, and
    what is left is re-fitted layer by layer to what the original computes on the images.

    Args:
        graph: stays as it is.
        fraction: 0 to below 1 of `multiply_adds(graph)`.
        images: (height, width, 3) uint8 RGB of the model's input size; the first 128 are used.
        progress: receives the stage and the fraction of it that is done.

    Raises:
        UsageError: a fraction out of range, or more than can be taken.
        InputError: no image.
        UnsupportedModelError: values inside the model overflow on the images.
        MissingExtraError: ONNX Runtime is not installed.
    """
    if not 0 <= fraction < 1:
        raise UsageError(f"--prune is {fraction}", "Use a fraction from 0 to below 1")
    if fraction == 0:
        return Pruned(graph, {})
    progress = progress or no_progress
    small, crops = _cropped(graph, list(islice(images, MAX_IMAGES)))
    channels = find_channels(small.model)
    seen = _observe(small, crops, progress)
    removed = _choose(small, channels, fraction, seen, crops, progress)
    pruned = remove_channels(small, channels, removed)
    heads = refit(
        pruned,
        crops,
        _kept(small.model, channels, seen.outputs, removed),
        seen.sampler,
        _counter(progress, "fit", _convs(small.model)),
    )
    names = graph.metadata.head_names
    error = detection_error(
        graph.metadata,
        *([np.concatenate(found[n]) for n in names] for found in (heads, seen.heads)),
    )
    _restore_input(pruned, graph)
    made = replace(pruned, metadata=graph.metadata).with_pass(
        "prune",
        fraction=fraction,
        multiply_adds_before=multiply_adds(graph),
        multiply_adds_after=multiply_adds(pruned),
        channels=len(removed),
        images=len(crops),
        head_error=round(error, 4),
    )
    gone = np.fromiter(removed, np.int64, len(removed))
    kept = {name: np.flatnonzero(~np.isin(ids, gone)) for name, ids in channels.ids.items()}
    return Pruned(made, kept)


@dataclass(frozen=True)
class _Observed:
    """Statistics and outputs of the unpruned graph on the images."""

    sampler: Sampler
    moments: dict[str, Doubles]
    outputs: Outputs
    heads: dict[str, list[FloatArray]]


def _cropped(graph: DetectorGraph, images: Sequence[Image]) -> tuple[DetectorGraph, list[Image]]:
    """The graph for smaller images, and one random crop of each image.

    Objects keep the size in which the model is to see them, at less than half the cost.
    """
    if not images:
        raise InputError("images", "there are none to prune by", "Give a folder with images")
    step = max(graph.metadata.strides)
    side = max(step, _SIDE // step * step)
    height, width = (min(side, whole) for whole in graph.metadata.input_size)
    random = np.random.default_rng(0)
    crops = []
    for image in images:
        top = int(random.integers(image.shape[0] - height + 1))
        left = int(random.integers(image.shape[1] - width + 1))
        crops.append(image[top : top + height, left : left + width])
    small = copy_of(graph)
    set_input(small.model, (height, width), 1)
    return replace(small, metadata=replace(small.metadata, input_size=(height, width))), crops


def _observe(graph: DetectorGraph, images: Sequence[Image], progress: Progress) -> _Observed:
    sampler = Sampler()
    moments: dict[str, Doubles] = {}
    outputs: Outputs = {}
    count = _counter(progress, "observe", _convs(graph.model))

    def visit(conv: ir.Node, inputs: Sequence[FloatArray]) -> None:
        if groups_of(conv) == 1:
            patches = [sampler.patches(conv, one) for one in inputs]
            matrix = matrix_of(conv)
            moments[str(conv.name)] = second_moment(_others(patches))
            outputs[str(conv.name)] = [rows @ matrix for rows in patches]
        count()

    heads = walk(graph, images, visit)
    _refuse_overflow(graph, moments)
    return _Observed(sampler, moments, outputs, heads)


def _refuse_overflow(graph: DetectorGraph, moments: Mapping[str, Doubles]) -> None:
    """Statistics that overflow would choose channels and weights without notice."""
    for name, moment in moments.items():
        if not np.isfinite(moment).all():
            raise UnsupportedModelError(
                graph.metadata.source_name,
                f"what the convolution {name} reads overflows on these images",
                "Omit --prune, and check the model's detections with tallylens verify",
            )


def _others(patches: Sequence[FloatArray]) -> Sequence[FloatArray]:
    """Without those of the images that probe, where there are enough."""
    left = [rows for index, rows in enumerate(patches) if index % _PROBE_EVERY]
    return left or patches


def _choose(
    graph: DetectorGraph,
    channels: Channels,
    fraction: float,
    seen: _Observed,
    images: Sequence[Image],
    progress: Progress,
) -> set[int]:
    """Ids of the channels to remove."""
    probes = images[::_PROBE_EVERY]
    curves = measure_curves(
        graph, channels, seen.moments, probes, _counter(progress, "measure", len(channels.groups))
    )
    cost = CostModel(graph.model, channels)
    whole = cost(())
    removed = allocate(curves, cost, int(whole * (1 - fraction)))
    if cost(removed) > whole * (1 - fraction):
        raise UsageError(
            f"only {1 - cost(removed) / whole:.0%} of the MACs can be removed",
            "Give a smaller --prune",
        )
    return removed


def _kept(
    model: ir.Model, channels: Channels, outputs: Outputs, removed: Collection[int]
) -> Outputs:
    """`outputs` without the channels that are removed."""
    gone = np.fromiter(removed, np.int64, len(removed))
    kept: Outputs = {}
    for node in model.graph:
        if str(node.name) in outputs:
            left = ~np.isin(channels.ids[str(node.outputs[0].name)], gone)
            kept[str(node.name)] = [rows[:, left] for rows in outputs[str(node.name)]]
    return kept


def _restore_input(pruned: DetectorGraph, graph: DetectorGraph) -> None:
    shape = graph.model.graph.inputs[0].shape
    batch = shape[0] if shape is not None and isinstance(shape[0], int) else None
    set_input(pruned.model, graph.metadata.input_size, batch)


def _convs(model: ir.Model) -> int:
    return sum(node.op_type == "Conv" for node in model.graph)


def _counter(progress: Progress, stage: str, whole: int) -> Callable[[], None]:
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        progress(stage, min(1.0, done / max(whole, 1)))

    return count
