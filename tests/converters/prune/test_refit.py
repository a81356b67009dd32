"""Least squares, and the order in which channels go."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from tallylens.converters.graph import DetectorGraph
from tallylens.converters.prune.channel_removal import copy_of
from tallylens.converters.prune.channels import find_channels
from tallylens.converters.prune.moments import Sampler, matrix_of, second_moment
from tallylens.converters.prune.refit import Outputs, least_squares, refit, set_matrix
from tallylens.converters.prune.selection import Reader, elimination
from tallylens.edge_runtime.types import FloatArray, Image
from tests.support.tiny_net import RunGraph


def test_least_squares_recovers_a_linear_layer() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 12)) * np.logspace(-2, 2, 12)
    true = random.normal(size=(12, 5))
    start = random.normal(size=(12, 5))
    found = least_squares(start, x.T @ x / 200, x.T @ (x @ true - x @ start) / 200, ridge=0)
    np.testing.assert_allclose(found, true, atol=1e-9)


def test_a_ridge_without_end_changes_nothing() -> None:
    random = np.random.default_rng(0)
    x, start = random.normal(size=(50, 4)), random.normal(size=(4, 2))
    error = x.T @ (random.normal(size=(50, 2)) - x @ start) / 50
    np.testing.assert_allclose(least_squares(start, x.T @ x / 50, error, 1e9), start, atol=1e-6)


def test_patches_times_matrix_is_the_convolution(
    detector: DetectorGraph, images: list[Image], run: RunGraph
) -> None:
    from tallylens.converters.prune.layerwise import walk

    sampler = Sampler(limit=20)
    found: dict[str | None, tuple[FloatArray, Any, Any]] = {}

    def visit(conv: ir.Node, inputs: Sequence[FloatArray]) -> None:
        product = sampler.patches(conv, inputs[0]) @ matrix_of(conv)
        found[conv.outputs[0].name] = (product, *sampler.positions(conv))

    walk(detector, images[:1], visit)
    for name, expected in zip(("head8", "head16"), run(detector, images[0]), strict=True):
        product, rows, columns = found[name]
        np.testing.assert_allclose(product.T, expected[0][:, rows, columns], atol=1e-4)


def test_a_damaged_graph_is_fitted_back(
    detector: DetectorGraph, images: list[Image], run: RunGraph
) -> None:
    sampler = Sampler()
    targets: Outputs = {}

    def visit(conv: ir.Node, inputs: Sequence[FloatArray]) -> None:
        matrix = matrix_of(conv)
        targets[str(conv.name)] = [sampler.patches(conv, one) @ matrix for one in inputs]

    from tallylens.converters.prune.layerwise import walk

    walk(detector, images, visit)
    damaged = copy_of(detector)
    random = np.random.default_rng(0)
    for node in list(damaged.model.graph):
        if node.op_type == "Conv":
            matrix = matrix_of(node).astype(np.float64)
            set_matrix(damaged.model, node, matrix * random.uniform(0.9, 1.1, matrix.shape))
    expected = run(detector, images[0])
    before = [abs(a - b).max() for a, b in zip(run(damaged, images[0]), expected, strict=True)]
    refit(damaged, images, targets, sampler)
    after = [abs(a - b).max() for a, b in zip(run(damaged, images[0]), expected, strict=True)]
    assert max(after) < 0.1 * max(before)


def test_elimination_takes_the_best_first_channel_and_the_best_fit() -> None:
    random = np.random.default_rng(3)
    x = random.normal(size=(400, 6)) @ random.normal(size=(6, 6))
    matrix = random.normal(size=(6, 3))
    owner = np.array([0, 1, 2, 3, 4, -1])
    moment = x.T @ x / 400
    order, matrices = elimination([Reader("r", matrix, owner, moment)], range(5), [1])

    def loss(columns: Sequence[int]) -> float:
        fitted = np.linalg.lstsq(x[:, columns], x @ matrix, rcond=None)[0]
        return float(((x[:, columns] @ fitted - x @ matrix) ** 2).mean())

    losses = {gone: loss([c for c in range(6) if c != gone]) for gone in range(5)}
    assert order == [min(losses, key=lambda gone: losses[gone])]
    left = [c for c in range(6) if c != order[0]]
    fitted = np.linalg.lstsq(x[:, left], x @ matrix, rcond=None)[0]
    np.testing.assert_allclose(matrices[1]["r"][left], fitted, rtol=2e-2, atol=2e-2)
    assert not matrices[1]["r"][order[0]].any()


def test_repeated_channels_go_without_loss() -> None:
    random = np.random.default_rng(3)
    base = random.normal(size=(300, 3))
    x = np.concatenate([base, base, np.ones((300, 1))], axis=1)
    matrix = random.normal(size=(7, 4))
    owner = np.array([0, 1, 2, 3, 4, 5, -1])
    reader = Reader("r", matrix, owner, x.T @ x / 300)
    order, matrices = elimination([reader], range(6), [3])
    assert {one % 3 for one in order} == {0, 1, 2}
    np.testing.assert_allclose(x @ matrices[3]["r"], x @ matrix, atol=1e-2)


@pytest.mark.parametrize("count", [1, 5])
def test_second_moment_is_the_mean_of_products(count: int) -> None:
    random = np.random.default_rng(0)
    patches = [random.normal(size=(7, 4)).astype(np.float32) for _ in range(count)]
    rows = list(itertools.chain.from_iterable(patches))
    expected = np.mean([np.outer(row, row) for row in rows], axis=0)
    np.testing.assert_allclose(second_moment(patches), expected, atol=1e-5)


def test_every_reader_of_a_group_is_known(detector: DetectorGraph) -> None:
    channels = find_channels(detector.model)
    small = channels.ids["small/Conv"]
    convs = [node for node in detector.model.graph if node.op_type == "Conv"]
    sources = {str(conv.name): str(conv.inputs[0].name) for conv in convs if conv.inputs[0]}
    read = {name for name, source in sources.items() if np.isin(channels.ids[source], small).any()}
    assert read == {"sppf/Conv"}
