"""Features that are compared: which they are, and what a pruned student lacks does not count."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tallylens.converters.distill.features import compared_features, feature_loss
from tallylens.converters.distill.recover import Schedule, recover
from tallylens.converters.distill.student import forward, read_weights
from tallylens.converters.emit.tensorflow import quiet_tensorflow
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.prune.prune import prune_channels
from tests.support.distribution_graph import build_distribution_graph

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tf() -> Iterator[Any]:
    with quiet_tensorflow() as module:
        yield module


def pixels(graph: DetectorGraph, count: int) -> list[np.ndarray]:
    random = np.random.default_rng(7)
    height, width = graph.metadata.input_size
    return [random.integers(0, 256, (height, width, 3), np.uint8) for _ in range(count)]


def test_what_convolutions_read_is_compared(teacher: DetectorGraph) -> None:
    """That of a head too; not the images, which are the same."""
    found = compared_features(teacher, teacher, {})
    convs = [node for node in teacher.model.graph if node.op_type == "Conv"]
    assert len(convs) == 4
    read = [str(node.inputs[0].name) for node in convs if node.inputs[0] is not None]
    assert list(found) == read[1:]
    for channels in found.values():
        np.testing.assert_array_equal(channels, np.arange(8))


def test_heads_behind_a_concatenation() -> None:
    graph = build_distribution_graph()
    found = compared_features(graph, graph, {})
    assert len(found) >= len(graph.metadata.head_names)
    assert not set(found) & set(graph.metadata.head_names)


def test_a_value_of_another_width_is_left_out_unless_its_channels_are_known(
    teacher: DetectorGraph,
) -> None:
    pruned = prune_channels(wide(), 0.3, pixels(wide(), 4))
    assert set(compared_features(pruned.graph, teacher, {})) <= set(pruned.kept)
    known = compared_features(pruned.graph, wide(), pruned.kept)
    assert known
    widths = {
        str(value.name): value.shape[1]  # type: ignore[index]
        for node in pruned.graph.model.graph
        for value in node.outputs
    }
    for name, channels in known.items():
        assert len(channels) == widths[name]
        assert len(set(channels.tolist())) == len(channels)


def wide() -> DetectorGraph:
    from tests.converters.distill.conftest import build_teacher

    return build_teacher(16)


def test_the_channels_that_pruning_keeps_are_the_teachers(tf: Any) -> None:
    """Before any layer is re-fitted, so that kept channels of the first layer are equal."""
    from tallylens.converters.prune.channel_removal import remove_channels
    from tallylens.converters.prune.channels import find_channels

    whole = wide()
    channels = find_channels(whole.model)
    first = channels.groups[0]
    gone = list(first.channels[1:4])
    cut = remove_channels(whole, channels, gone)
    name = next(n for n, ids in channels.ids.items() if n != "images" and gone[0] in ids)
    kept = np.flatnonzero(~np.isin(channels.ids[name], gone))
    images = np.stack(pixels(whole, 2)).astype(np.float32) / 255
    ours, theirs = (
        forward(tf, graph, tf.constant(images), read_weights(graph), [name])[-1].numpy()
        for graph in (cut, whole)
    )
    np.testing.assert_allclose(ours, theirs[..., kept], atol=1e-5)


def test_the_loss_of_features(tf: Any) -> None:
    value = np.random.default_rng(0).normal(0, 3, (2, 4, 4, 5)).astype(np.float32)
    assert float(feature_loss(tf, [tf.constant(value)], [value])) == 0
    one, ten = (
        float(feature_loss(tf, [tf.constant(scale * (value + 0.5))], [scale * value]))
        for scale in (1.0, 10.0)
    )
    assert one == pytest.approx(ten, rel=1e-3)  # in units of the variance
    assert 0 < one < float(feature_loss(tf, [tf.constant(value + 1.0)], [value]))
    assert float(feature_loss(tf, [], [])) == 0


def test_the_gradient_of_the_loss_is_that_of_its_formula(tf: Any) -> None:
    from tallylens.converters.distill.features import _FLOOR

    random = np.random.default_rng(0)
    wanted = random.normal(0, [1, 2, 0.01], (2, 5, 4, 3)).astype(np.float32)
    found = tf.Variable(wanted + random.normal(size=wanted.shape).astype(np.float32))
    with tf.GradientTape(persistent=True) as tape:
        ours = 3 * feature_loss(tf, [found], [tf.constant(wanted)])
        variance = tf.math.reduce_variance(wanted, (0, 1, 2))
        scale = variance + _FLOOR * tf.reduce_mean(variance) + 1e-6
        theirs = 3 * tf.reduce_mean(tf.square(found - wanted) / scale)
    assert float(ours) == pytest.approx(float(theirs), rel=1e-5)
    slopes = tape.gradient(ours, found), tape.gradient(theirs, found)
    np.testing.assert_allclose(*slopes, rtol=1e-5)


@pytest.mark.parametrize("kept", [[0, 2, 3], [3, 1, 0, 2], [0, 1, 2, 3]])
def test_the_teachers_channels_are_taken_by_number(tf: Any, kept: list[int]) -> None:
    from tallylens.converters.distill.training import _only

    value = np.random.default_rng(0).normal(size=(2, 5, 4, 4)).astype(np.float32)
    np.testing.assert_array_equal(_only(tf, tf.constant(value), np.array(kept)), value[..., kept])


def test_a_pruned_model_comes_nearer_and_stops_when_it_does_not(
    folder: Path, clock: Callable[[], float]
) -> None:
    whole = wide()
    pruned = prune_channels(whole, 0.3, pixels(whole, 4))
    plan = Schedule(rate=0.003, warm_up=2, batch=4, side=32, checks=20, patience=2, save_every=1e9)
    reports: list[tuple[str, float | None]] = []
    found = recover(
        pruned.graph,
        whole,
        folder,
        2,
        kept=pruned.kept,
        schedule=plan,
        clock=clock,
        progress=lambda *report: reports.append(report),
    )
    effect = found.metadata.passes[-1].effect
    assert float(str(effect["error_after"])) < float(str(effect["error_before"]))
    assert reports[-1][1] == 1.0

    nothing = recover(
        whole, whole, folder, 2, schedule=plan, clock=clock, progress=lambda *one: None
    )
    assert nothing.metadata.passes[-1].effect["steps"] == 12  # two checks of six steps each
