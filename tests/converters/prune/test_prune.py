"""Pruning as a whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tallylens.converters.distance.heads import detection_error, head_error
from tallylens.converters.emit.onnx import emit_onnx
from tallylens.converters.emit.tflite import emit_tflite
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.prune.allocation import allocate
from tallylens.converters.prune.channel_removal import set_weights, weights_of
from tallylens.converters.prune.channels import find_channels
from tallylens.converters.prune.cost import multiply_adds
from tallylens.converters.prune.prune import prune
from tallylens.converters.prune.sensitivity import Curve, steps
from tallylens.edge_runtime.errors import InputError, UnsupportedModelError, UsageError
from tallylens.edge_runtime.types import Image
from tests.support.tiny_net import RunGraph

pytestmark = pytest.mark.slow


def test_nothing_to_prune_changes_nothing(detector: DetectorGraph) -> None:
    assert prune(detector, 0, []) is detector


@pytest.mark.parametrize("fraction", [-0.1, 1, float("nan")])
def test_a_fraction_out_of_range_is_refused(detector: DetectorGraph, fraction: float) -> None:
    with pytest.raises(UsageError, match="from 0 to below 1"):
        prune(detector, fraction, [])


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_a_model_whose_values_overflow_is_refused(
    detector: DetectorGraph, images: list[Image]
) -> None:
    """Statistics that overflow would choose channels at random."""
    conv = next(node for node in detector.model.graph if node.op_type == "Conv")
    weight, bias = weights_of(conv)
    set_weights(detector.model, conv, weight * np.float32(1e25), bias)
    with pytest.raises(UnsupportedModelError, match="overflows on these images"):
        prune(detector, 0.2, images)


def test_no_image_is_refused(detector: DetectorGraph) -> None:
    with pytest.raises(InputError, match="there are none to prune by"):
        prune(detector, 0.2, [])


def test_more_than_there_is_to_take_is_refused(
    detector: DetectorGraph, images: list[Image]
) -> None:
    with pytest.raises(UsageError, match="of the MACs can be removed"):
        prune(detector, 0.99, images[:1])


def test_pruned_graph_costs_less_keeps_its_form_and_says_so(
    detector: DetectorGraph, images: list[Image], run: RunGraph
) -> None:
    stages = []
    before = emit_onnx(detector)
    pruned = prune(detector, 0.2, images, progress=lambda *told: stages.append(told))
    assert emit_onnx(detector) == before
    assert multiply_adds(pruned) <= 0.8 * multiply_adds(detector)
    record = pruned.metadata.passes[-1]
    assert record.name == "prune"
    assert record.effect["multiply_adds_before"] == multiply_adds(detector)
    assert record.effect["multiply_adds_after"] == multiply_adds(pruned)
    assert {stage for stage, _ in stages} == {"observe", "measure", "fit"}
    channels = find_channels(pruned.model)
    assert all(len(group.channels) % 8 == 0 for group in channels.groups)
    heads, expected = run(pruned, images[0]), run(detector, images[0])
    assert [one.shape for one in heads] == [one.shape for one in expected]
    assert emit_tflite(pruned)


def test_pruning_repeats(detector: DetectorGraph, images: list[Image]) -> None:
    first, second = (emit_onnx(prune(detector, 0.15, images[:4])) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("width", "expected"),
    [(8, []), (16, [8]), (24, [8]), (32, [8, 16]), (20, [4]), (64, [8, 16, 24, 32])],
)
def test_steps_leave_multiples_of_eight(width: int, expected: list[int]) -> None:
    assert steps(width) == expected


def test_allocation_takes_the_cheap_error_first() -> None:
    curves = [
        Curve("a", tuple(range(10)), {5: 0.1, 10: 5.0}),
        Curve("b", tuple(range(10, 20)), {5: 0.4, 10: 0.5}),
    ]
    cost = lambda removed: 20 - len(removed)  # noqa: E731
    assert allocate(curves, cost, 15) == set(range(5))
    assert allocate(curves, cost, 5) == {*range(5), *range(10, 20)}


def test_head_error_is_zero_for_the_same_and_grows_with_distance(
    detector: DetectorGraph, images: list[Image], run: RunGraph
) -> None:
    heads = run(detector, images[0])
    errors = [
        head_error(detector.metadata, [one + off for one in heads], heads) for off in (0, 0.1, 1, 9)
    ]
    assert errors[0] == 0
    assert errors == sorted(set(errors))


def test_detection_error_is_zero_for_the_same_and_about_one_for_nothing(
    detector: DetectorGraph, images: list[Image], run: RunGraph
) -> None:
    heads = run(detector, images[0])
    silent = [one - 100 for one in heads]
    assert detection_error(detector.metadata, heads, heads) == 0
    assert 1 <= detection_error(detector.metadata, silent, heads) <= 2.01


@pytest.mark.realdata
def test_yolov5n_loses_little_where_little_is_taken(data: Path) -> None:
    from tallylens.converters.calibration import calibration_images
    from tallylens.converters.load import load

    graph = load(data / "models" / "yolov5n.pt", input_size=(320, 320))
    images = list(calibration_images(data / "coco" / "images" / "calib", (320, 320), 4))
    pruned = prune(graph, 0.03, images)
    assert multiply_adds(pruned) <= 0.97 * multiply_adds(graph)
    assert float(pruned.metadata.passes[-1].effect["head_error"]) < 0.1
    assert np.isfinite(float(pruned.metadata.passes[-1].effect["head_error"]))
