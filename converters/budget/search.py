"""Searches the best cut of a model on unlabeled images: smaller inputs, and pruning beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...edge_runtime.engines.onnx import OnnxEngine
from ...edge_runtime.errors import InputError, UsageError
from ...edge_runtime.metadata import ModelMetadata
from ...edge_runtime.progress import Progress
from ...edge_runtime.sources.images import read_image
from ...edge_runtime.types import Detections, Image
from ..calibration import calibration_images, evenly_spaced, list_images
from ..emit.onnx import emit_onnx
from ..evaluation.verify import DETECTED
from ..graph import DetectorGraph
from ..model_under_test import EngineModel
from ..prune.cost import multiply_adds
from ..prune.prune import prune
from .front import (
    Budget,
    Candidate,
    Front,
    agreement,
    common_shape,
    fitting_sizes,
    smaller_sizes,
)

MAX_IMAGES = 96
PRUNING_IMAGES = 64
PRUNED = 0.2
"""The largest fraction that is pruned: beyond it a smaller input is better."""
LOWEST_SHARE = 0.1
STEP = 0.08
"""Distance of the sizes that are tried, as a share of the area."""
ENOUGH_IMAGES = 16
SLACK = 1.005
"""Pruning and sizes come in steps: so much above a share is within it for a comparison."""

Loader = Callable[[tuple[int, int] | None], DetectorGraph]


@dataclass(frozen=True)
class _Images:
    """Images that choose, and those of the validation split."""

    choosing: list[Image]
    held_back: list[Image]


def search(
    load: Loader,
    budget: Budget,
    folder: Path,
    full_ms: Callable[[], float],
    progress: Progress,
) -> Front:
    """The candidate within `budget` that agrees best with the source.

    Args:
        load: the source's graph for an input size; its own size for None.
        budget: the limit.
        folder: unlabeled images; every second one chooses, the others measure the choice.
        full_ms: the time of an inference of the uncut model, for a budget of time.
        progress: receives the fraction that is done, as stage "search".

    Raises:
        InputError: no image can be read.
        UsageError: no input size is small enough.
    """
    source = load(None)
    limit = _share(budget, full_ms)
    images = _read(folder)
    whole, macs = source.metadata, multiply_adds(source)
    reference = _Judge(source, images)
    families = _families(whole, images, limit)
    sizes = [size for family in families for size in _spread(family, whole, limit)]
    candidates = []
    for number, size in enumerate(sizes):
        progress("search", number / (len(sizes) + 1))
        graph = load(size)
        share = multiply_adds(graph) / macs
        score = reference.score(graph, images.choosing)
        candidates.append(Candidate(size, 0.0, share, score, share <= limit))
    if not any(one.fits for one in candidates):
        raise UsageError(
            f"a budget of {limit:.0%} of the MACs is less than the smallest input needs",
            "Give a larger budget, or a smaller model",
        )
    progress("search", len(sizes) / (len(sizes) + 1))
    unpruned = max((one for one in candidates if one.fits), key=lambda one: one.agreement)
    family = next(one for one in families if unpruned.input_size in one)
    candidates += _pruned(load, folder, macs, limit, family, reference, images)
    best = max((one for one in candidates if one.fits), key=lambda one: (one.agreement, -one.share))
    graph = load(best.input_size)
    if best.prune:
        chosen = calibration_images(folder, best.input_size, PRUNING_IMAGES)
        graph = prune(graph, best.prune, chosen)
    measured = replace(best, held_back=reference.score(graph, images.held_back))
    ordered = sorted(candidates, key=lambda one: one.share)
    candidates = [measured if one == best else one for one in ordered]
    progress("search", 1.0)
    return Front(tuple(candidates), measured, tuple(_reasons(candidates, measured, limit, images)))


def beside_smaller_input(load: Loader, pruned: DetectorGraph, folder: Path) -> str:
    """A sentence that compares a pruned model with a smaller input of the same MACs.

    `load` gives the source for an input size; `pruned` has the source's own size. Half of the
    images of `folder`, the validation split of the search, compare.
    """
    source = load(None)
    macs, images = multiply_adds(source), _read(folder)
    share = multiply_adds(pruned) / macs
    judge = _Judge(source, images)
    ours = judge.score(pruned, images.held_back)
    smaller = []
    for family in _families(source.metadata, images, share):
        graph = next(
            (one for one in map(load, family) if multiply_adds(one) <= share * macs * SLACK), None
        )
        if graph is not None:
            smaller.append((judge.score(graph, images.choosing), graph))
    if not smaller:
        return f"the pruned model agrees with the source by {ours:.3f}"
    graph = max(smaller, key=lambda pair: pair[0])[1]
    theirs = judge.score(graph, images.held_back)
    height, width = graph.metadata.input_size
    return (
        f"pruning keeps {share:.0%} of the MACs and agrees with the source by {ours:.3f}; an input "
        f"of {height}x{width} keeps {multiply_adds(graph) / macs:.0%} and agrees by {theirs:.3f}"
        + (": --imgsz is the better cut here" if theirs > ours else "")
    )


class _Judge:
    """Compares graphs with the source by their detections."""

    def __init__(self, source: DetectorGraph, images: _Images) -> None:
        self._source = {
            id(group): _detections(source, group) for group in (images.choosing, images.held_back)
        }

    def score(self, graph: DetectorGraph, group: list[Image]) -> float:
        """The agreement on one of the two groups of images."""
        return agreement(_detections(graph, group), self._source[id(group)])


def _families(whole: ModelMetadata, images: _Images, limit: float) -> list[list[tuple[int, int]]]:
    """Input sizes of the source's shape, and of the images': pixels of a border cost MACs, too.

    Images of a single shape are as large in an input of theirs as in a larger one of the source's,
    so that only theirs are tried.
    """
    lowest, stride = min(LOWEST_SHARE, limit / 2), max(whole.strides)
    shapes = [image.shape[:2] for image in (*images.choosing, *images.held_back)]
    fitted = fitting_sizes(whole.input_size, common_shape(shapes), stride, lowest)
    if fitted and len(set(shapes)) == 1:
        return [fitted]
    own = smaller_sizes(whole.input_size, stride, lowest)
    others = [size for size in fitted if size not in own]
    return [sizes for sizes in (own, others) if sizes]


def _spread(
    sizes: list[tuple[int, int]], whole: ModelMetadata, limit: float
) -> list[tuple[int, int]]:
    """The largest size within the budget, and others at some distance for the front."""
    largest = whole.input_size[0] * whole.input_size[1]
    kept: list[tuple[int, int]] = []
    last, found = 2.0, False
    for size in sizes:
        share = size[0] * size[1] / largest
        first_fit = not found and share <= limit
        found = found or first_fit
        if first_fit or last - share >= STEP:
            kept.append(size)
            last = share
    return kept


def _share(budget: Budget, full_ms: Callable[[], float]) -> float:
    if budget.share is not None:
        return budget.share
    assert budget.milliseconds is not None
    return min(1.0, budget.milliseconds / full_ms())


def _pruned(
    load: Loader,
    folder: Path,
    macs: int,
    limit: float,
    sizes: Sequence[tuple[int, int]],
    reference: _Judge,
    images: _Images,
) -> list[Candidate]:
    """Pruning with re-fitted weights, as much as inputs need that are above the budget.

    Of the inputs of a family that need at most `PRUNED` the one that needs most and the one that
    needs least.
    """
    needed = {}
    for size in sizes:
        fraction = 1 - limit * macs / multiply_adds(load(size))
        if 0 < fraction <= PRUNED:
            needed[size] = math.ceil(1000 * fraction) / 1000
    candidates = []
    for size in dict.fromkeys([*needed][:1] + [*needed][-1:]):
        chosen = calibration_images(folder, size, PRUNING_IMAGES)
        smaller = prune(load(size), needed[size], chosen)
        share = multiply_adds(smaller) / macs
        score = reference.score(smaller, images.choosing)
        candidates.append(Candidate(size, needed[size], share, score, share <= limit))
    return candidates


def _read(folder: Path) -> _Images:
    paths = evenly_spaced(list_images(folder), MAX_IMAGES)
    images = []
    for path in paths:
        try:
            images.append(read_image(path))
        except InputError:
            continue  # calibration warns about it
    if len(images) < 2:
        raise InputError(
            folder, f"{len(images)} readable images", "Give about a hundred from the camera's view"
        )
    return _Images(images[::2], images[1::2])


def _detections(graph: DetectorGraph, images: list[Image]) -> list[Detections]:
    with OnnxEngine(emit_onnx(graph), Path("candidate.onnx"), num_threads=1) as engine:
        model = EngineModel(engine, (DETECTED,))
        return [model.predict(image).detections[0] for image in images]


def _reasons(
    candidates: list[Candidate], chosen: Candidate, limit: float, images: _Images
) -> list[str]:
    reasons = [
        f"{chosen.title} keeps {chosen.share:.0%} of the MACs and agrees best with the source: "
        f"{chosen.agreement:.3f} on the images that chose it, {chosen.held_back:.3f} on "
        f"{len(images.held_back)} others"
    ]
    others = [one for one in candidates if one.fits and one != chosen]
    if others:
        second = max(others, key=lambda one: one.agreement)
        reasons.append(f"next best within {limit:.0%}: {second.title}, {second.agreement:.3f}")
    if len(images.choosing) < ENOUGH_IMAGES:
        reasons.append(
            f"only {len(images.choosing)} images chose: give 32 or more from the camera's view"
        )
    return reasons
