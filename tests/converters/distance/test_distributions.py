"""Distances between heads without anchors, and pruning of a graph that has them."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

from tallylens.converters.distance.distributions import distance_iou, split
from tallylens.converters.distance.heads import detection_error, head_error
from tallylens.converters.emit.onnx import emit_onnx
from tallylens.converters.prune.cost import multiply_adds
from tallylens.converters.prune.prune import prune
from tallylens.edge_runtime.types import FloatArray
from tests.support.distribution_graph import BINS, CLASSES, build_distribution_graph

GRAPH = build_distribution_graph()


def some_heads(seed: int) -> list[FloatArray]:
    random = np.random.default_rng(seed)
    shapes = [(2, 4 * BINS + CLASSES, side, side + 1) for side in (6, 3)]
    return [random.normal(0, 2, shape).astype(np.float32) for shape in shapes]


def test_iou_is_that_of_the_boxes() -> None:
    a, b = (split(some_heads(seed)[0], BINS)[0] for seed in (0, 1))
    low = np.maximum(-a[:, :2], -b[:, :2])
    common = np.prod(np.minimum(a[:, 2:], b[:, 2:]) - low, axis=1)
    areas = [np.prod(one[:, 2:] + one[:, :2], axis=1) for one in (a, b)]
    np.testing.assert_allclose(distance_iou(a, b), common / (sum(areas) - common), rtol=1e-5)
    np.testing.assert_allclose(distance_iou(a, a), 1, rtol=1e-5)


def test_errors_are_zero_for_the_same_and_grow() -> None:
    heads, metadata = some_heads(2), GRAPH.metadata
    for measure in (head_error, detection_error):
        assert measure(metadata, heads, heads) == pytest.approx(0, abs=1e-5)
        noise = some_heads(3)
        pairs = list(zip(heads, noise, strict=True))
        errors = [
            measure(metadata, [one + by * off for one, off in pairs], heads)
            for by in (0.01, 0.1, 1)
        ]
        assert errors == sorted(set(errors))
    silent = [one.copy() for one in heads]
    for one in silent:
        one[:, 4 * BINS :] -= 100
    assert detection_error(metadata, silent, heads) == pytest.approx(1, abs=0.01)


def test_a_box_alone_counts() -> None:
    heads = some_heads(4)
    moved = [one.copy() for one in heads]
    for one in moved:
        one[:, : 4 * BINS] = one[:, : 4 * BINS][:, ::-1]
    for measure in (head_error, detection_error):
        assert measure(GRAPH.metadata, moved, heads) > 0.05


@pytest.mark.slow
def test_pruning_keeps_the_channels_of_the_heads() -> None:
    size = GRAPH.metadata.input_size
    random = np.random.default_rng(5)
    images = [random.integers(0, 256, (*size, 3)).astype(np.uint8) for _ in range(4)]
    graph = build_distribution_graph(width=64)
    pruned = prune(graph, 0.2, images)
    assert multiply_adds(pruned) <= 0.8 * multiply_adds(graph)
    heads = ort.InferenceSession(emit_onnx(pruned)).run(
        None, {"images": images[0].transpose(2, 0, 1)[None].astype(np.float32) / 255}
    )
    assert [head.shape[1] for head in heads] == [4 * BINS + CLASSES] * 2
