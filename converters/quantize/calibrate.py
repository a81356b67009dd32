"""Calibration: the quantization scheme of a graph, from a few images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from ...edge_runtime.progress import Progress, no_progress
from ...edge_runtime.types import FloatArray, Image
from ..graph import INPUT_NAME, DetectorGraph
from .head_ranges import choose_head_ranges, run_float
from .layers import fit_layers
from .quality import warnings_about
from .range_selection import choose_ranges, cut_flat_tails, derived_ranges
from .scheme import Calibration, Ranges
from .sensitivity import measure_sensitivity
from .statistics import Statistics, observe, to_input

METHOD = "output_error"
_FITTED_IMAGES = 4
_FITTED_EVERY = 8
_JUDGED = 16


def calibrate(
    graph: DetectorGraph,
    images: Iterable[Image],
    expected: int,
    progress: Progress | None = None,
    *,
    sensitivities: bool = False,
) -> Calibration:
    """Ranges by their error behind each layer, and weights with error feedback.

    Args:
        graph: stays as it is; `Calibration.apply` gives it the new weights.
        images: (height, width, 3) uint8 RGB of the model's input size.
        expected: number of images, for the progress.
        sensitivities: also measure what each tensor's rounding alone does; a fifth more time.
        progress: receives the stage ("calibrate", "fit", "sensitivity") and the fraction done.

    Raises:
        ModelError: a value overflows: the weights are damaged.
        MissingExtraError: ONNX Runtime is not installed.
    """
    progress = progress or no_progress
    kept: list[Image] = []
    spread = max(1, min(_FITTED_EVERY, expected // _FITTED_IMAGES))
    statistics = observe(
        graph,
        _keeping(images, kept, spread),
        lambda done: progress("calibrate", done / max(expected, done)),
    )
    ranges = choose_ranges(graph, statistics)
    if set(graph.metadata.head_names) <= set(statistics.limits):
        ranges |= choose_head_ranges(graph.metadata, run_float(graph, kept[:_JUDGED]), ranges)
    batch = _batch(kept[:: max(1, len(kept) // _FITTED_IMAGES)][:_FITTED_IMAGES])
    weights, scales = fit_layers(graph, batch, lambda done: progress("fit", done))
    sensitivity = (
        measure_sensitivity(graph, ranges, batch[:1], lambda done: progress("sensitivity", done))
        if sensitivities
        else {}
    )
    return Calibration(
        ranges,
        _widest(graph, statistics),
        images=statistics.images,
        method=METHOD,
        weights=weights,
        weight_scales=scales,
        sensitivity=sensitivity,
        warnings=tuple(warnings_about(statistics.images, kept)),
    )


def observe_ranges(
    graph: DetectorGraph,
    images: Iterable[Image],
    on_image: Callable[[int], None] | None = None,
) -> Calibration:
    """Calibrate by minimum and maximum alone, clipped where the next activation is flat.

    Raises:
        ModelError: a value overflows: the weights are damaged.
        MissingExtraError: ONNX Runtime is not installed.
    """
    statistics = observe(graph, images, on_image)
    widest = _widest(graph, statistics)
    return Calibration(widest, widest, images=statistics.images)


def _widest(graph: DetectorGraph, statistics: Statistics) -> Ranges:
    limits = cut_flat_tails(graph, statistics.limits)
    return derived_ranges(graph, {INPUT_NAME: (0.0, 1.0), **limits})


def _keeping(images: Iterable[Image], kept: list[Image], spread: int) -> Iterator[Image]:
    for number, image in enumerate(images):
        if number % spread == 0:
            kept.append(image)
        yield image


def _batch(images: list[Image]) -> FloatArray:
    return np.concatenate([to_input(image) for image in images])
