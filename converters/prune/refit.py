"""Weights of a pruned detector re-fitted to what the unpruned one computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from ...edge_runtime.types import FloatArray, Image
from ..graph import DetectorGraph
from .channel_removal import set_weights, weights_of
from .channels import groups_of
from .layerwise import walk
from .moments import Doubles, Sampler, matrix_of

# From nearly free to nearly fixed; the images that were not fitted to choose.
_RIDGES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
_JUDGES = 4

Outputs = dict[str, list[FloatArray]]


def refit(
    graph: DetectorGraph,
    images: Sequence[Image],
    targets: Outputs,
    sampler: Sampler,
    on_layer: Callable[[], None] | None = None,
) -> dict[str, list[FloatArray]]:
    """Fit each convolution of `graph`, first to last, to `targets`; changes its weights.

    Every layer sees what the fitted layers before it give, so that it makes up for what they
    lost. `targets` holds, by Conv name, the wanted outputs at the sampler's positions, (positions,
    outputs) an image. Returns the heads.
    """

    def visit(conv: ir.Node, inputs: Sequence[FloatArray]) -> None:
        if groups_of(conv) == 1:
            patches = [sampler.patches(conv, one) for one in inputs]
            _fit(graph.model, conv, patches, targets[str(conv.name)])
        if on_layer:
            on_layer()

    return walk(graph, images, visit)


def least_squares(before: Doubles, moment: Doubles, error: Doubles, ridge: float) -> Doubles:
    """The matrix that minimizes |y - x m|^2 + ridge * |m - before|^2 in x's own units.

    `moment` is the mean of x x^T, `error` the mean of x (y - x before)^T.
    """
    scale = np.sqrt(np.maximum(np.diag(moment), 1e-12))
    scaled = moment / np.outer(scale, scale) + ridge * np.eye(len(moment))
    return before + np.linalg.solve(scaled, error / scale[:, None]) / scale[:, None]


def _fit(
    model: ir.Model, conv: ir.Node, patches: Sequence[FloatArray], wanted: Sequence[FloatArray]
) -> None:
    """Every fourth image judges how far the others may move the weights; then all move them."""
    before = matrix_of(conv).astype(np.float64)
    pairs = list(zip(patches, wanted, strict=True))
    judges = pairs[::_JUDGES] if len(pairs) >= _JUDGES else []
    others = [pair for index, pair in enumerate(pairs) if index % _JUDGES] if judges else pairs
    sums, held = _sums(before, others), _sums(before, judges)
    ridge = min(_RIDGES, key=lambda one: _loss(before, held, _solve(before, sums, one)))
    whole = (sums[0] + held[0], sums[1] + held[1], sums[2] + held[2])
    set_matrix(model, conv, _solve(before, whole, ridge))


def _sums(
    before: Doubles, pairs: Sequence[tuple[FloatArray, FloatArray]]
) -> tuple[Doubles, Doubles, int]:
    """The sums of x x^T and of x (y - x before)^T, and of how many rows."""
    moment = np.zeros((len(before),) * 2)
    error = np.zeros(before.shape)
    start = before.astype(np.float32)
    for x, y in pairs:
        moment += x.T @ x
        error += x.T @ (y - x @ start)
    return moment, error, sum(len(x) for x, _ in pairs)


def _solve(before: Doubles, sums: tuple[Doubles, Doubles, int], ridge: float) -> Doubles:
    moment, error, rows = sums
    return least_squares(before, moment / max(rows, 1), error / max(rows, 1), ridge)


def _loss(before: Doubles, sums: tuple[Doubles, Doubles, int], matrix: Doubles) -> float:
    """The squared error of `matrix`, less that of `before`."""
    moved = matrix - before
    return float(((sums[0] @ moved - 2 * sums[1]) * moved).sum())


def set_matrix(model: ir.Model, conv: ir.Node, matrix: Doubles) -> None:
    """The inverse of `matrix_of`."""
    shape = weights_of(conv)[0].shape
    weight = matrix[:-1].T.reshape(shape).astype(np.float32)
    set_weights(model, conv, weight, matrix[-1].astype(np.float32))
