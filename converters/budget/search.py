"""Searches the best cut of a model on unlabeled images: smaller inputs, and pruning beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ...edge_runtime.errors import UsageError
from ...edge_runtime.metadata import ModelMetadata
from ...edge_runtime.progress import Progress
from ..calibration import letterboxed
from ..graph import DetectorGraph
from ..prune.cost import multiply_adds
from ..prune.prune import prune
from .comparison import Judge, SearchImages, read_images
from .front import (
    Budget,
    Candidate,
    Front,
    common_shape,
    fitting_sizes,
    smaller_sizes,
)

PRUNED = 0.2
"""The largest fraction that is pruned: beyond it a smaller input is better."""
LOWEST_SHARE = 0.1
STEP = 0.08
"""Distance of the sizes that are tried, as a share of the area."""
ENOUGH_IMAGES = 16
SLACK = 1.005
"""Pruning and sizes come in steps: so much above a share is within it for a comparison."""

Loader = Callable[[tuple[int, int] | None], DetectorGraph]


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
        folder: unlabeled images; a third of them chooses, a third measures the choice, and to a
            third the weights of pruned candidates are fitted.
        full_ms: the time of an inference of the uncut model, for a budget of time.
        progress: receives the fraction that is done, as stage "search".

    Raises:
        InputError: no image can be read.
        UsageError: no input size is small enough.
    """
    source = load(None)
    limit = _share(budget, full_ms)
    images = read_images(folder)
    whole, macs = source.metadata, multiply_adds(source)
    reference = Judge(source, images)
    families = size_families(whole, images.shapes, limit)
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
    candidates += _pruned(load, macs, limit, family, reference, images, progress)
    best = max((one for one in candidates if one.fits), key=lambda one: (one.agreement, -one.share))
    graph = load(best.input_size)
    if best.prune:
        graph = _fitted(graph, best.prune, images, progress)
    measured = replace(best, held_back=reference.score(graph, images.held_back))
    ordered = sorted(candidates, key=lambda one: one.share)
    candidates = [measured if one == best else one for one in ordered]
    progress("search", 1.0)
    return Front(tuple(candidates), measured, tuple(_reasons(candidates, measured, limit, images)))


def beside_smaller_input(load: Loader, pruned: DetectorGraph, folder: Path) -> str:
    """A sentence that compares a pruned model with a smaller input of the same MACs.

    `load` gives the source for an input size; `pruned` has the source's own size. A third of the
    images of `folder`, the validation split of the search, compare; if `pruned` was fitted to all
    of them, that favors it.
    """
    source = load(None)
    macs, images = multiply_adds(source), read_images(folder)
    share = multiply_adds(pruned) / macs
    judge = Judge(source, images)
    ours = judge.score(pruned, images.held_back)
    smaller = []
    for family in size_families(source.metadata, images.shapes, share):
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


def size_families(
    whole: ModelMetadata, shapes: Sequence[tuple[int, int]], limit: float
) -> list[list[tuple[int, int]]]:
    """Input sizes of the source's shape, and of the images': pixels of a border cost MACs, too.

    Images of a single shape are as large in an input of theirs as in a larger one of the source's,
    so that only theirs are tried. `shapes`: (height, width) of the images.
    """
    lowest, stride = min(LOWEST_SHARE, limit / 2), max(whole.strides)
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
    macs: int,
    limit: float,
    sizes: Sequence[tuple[int, int]],
    reference: Judge,
    images: SearchImages,
    progress: Progress,
) -> list[Candidate]:
    """Pruning with re-fitted weights, as much as inputs need that are above the budget.

    Of the inputs of a family that need at most `PRUNED` the largest and the smallest. The images
    that the weights are re-fitted to are not among those that compare.
    """
    needed: dict[tuple[int, int], float] = {}
    for size in sizes if images.fitting else ():
        fraction = 1 - limit * macs / multiply_adds(load(size))
        if 0 < fraction <= PRUNED:
            needed[size] = math.ceil(1000 * fraction) / 1000
        elif fraction <= 0 and not needed:  # sizes far apart: for the front
            needed[size] = PRUNED
            break
    candidates = []
    for size in dict.fromkeys([*needed][:1] + [*needed][-1:]):
        smaller = _fitted(load(size), needed[size], images, progress)
        share = multiply_adds(smaller) / macs
        score = reference.score(smaller, images.choosing)
        candidates.append(Candidate(size, needed[size], share, score, share <= limit))
    return candidates


def _fitted(
    graph: DetectorGraph, fraction: float, images: SearchImages, progress: Progress
) -> DetectorGraph:
    """The graph pruned by `fraction`."""
    size = graph.metadata.input_size
    boxed = [letterboxed(image, size) for image in images.fitting]
    return prune(graph, fraction, boxed, progress=progress)


def _reasons(
    candidates: list[Candidate], chosen: Candidate, limit: float, images: SearchImages
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
