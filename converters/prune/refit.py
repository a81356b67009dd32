"""Weights of a pruned detector re-fitted to what the unpruned one computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from ...edge_runtime.types import FloatArray, Image
from ..graph import DetectorGraph
from .channels import groups_of
from .moments import Doubles, Sampler, matrix_of
from .surgery import set_weights, weights_of
from .walk import walk

_RIDGE = 1e-3

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


def least_squares(
    before: Doubles, moment: Doubles, error: Doubles, ridge: float = _RIDGE
) -> Doubles:
    """The matrix that minimises |y - x m|^2 + ridge * |m - before|^2 in x's own units.

    `moment` is the mean of x x^T, `error` the mean of x (y - x before)^T.
    """
    scale = np.sqrt(np.maximum(np.diag(moment), 1e-12))
    scaled = moment / np.outer(scale, scale) + ridge * np.eye(len(moment))
    return before + np.linalg.solve(scaled, error / scale[:, None]) / scale[:, None]


def _fit(
    model: ir.Model, conv: ir.Node, patches: Sequence[FloatArray], wanted: Sequence[FloatArray]
) -> None:
    before = matrix_of(conv)
    moment = np.zeros((len(before),) * 2)
    error = np.zeros(before.shape)
    for x, y in zip(patches, wanted, strict=True):
        moment += x.T @ x
        error += x.T @ (y - x @ before)
    rows = sum(len(x) for x in patches)
    fitted = least_squares(before.astype(np.float64), moment / rows, error / rows)
    set_matrix(model, conv, fitted)


def set_matrix(model: ir.Model, conv: ir.Node, matrix: Doubles) -> None:
    """The inverse of `matrix_of`."""
    shape = weights_of(conv)[0].shape
    set_weights(model, conv, matrix[:-1].T.reshape(shape), matrix[-1])
