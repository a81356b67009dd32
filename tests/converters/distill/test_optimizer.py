"""Steps in units of each channel's weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tallylens.converters.distill.optimizer import unit_sizes, update
from tallylens.converters.distill.student import Weights
from tallylens.converters.emit.tensorflow import quiet_tensorflow

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tf() -> Iterator[Any]:
    with quiet_tensorflow() as module:
        yield module


def random_weights(inputs: int = 6, outputs: int = 5) -> Weights:
    random = np.random.default_rng(3)
    return {
        "a:kernel": random.normal(size=(3, 3, inputs, outputs)).astype(np.float32),
        "a:bias": random.normal(size=outputs).astype(np.float32),
    }


def after_steps(tf: Any, start: Weights, gradients: Weights, steps: int = 3) -> Weights:
    """The weights after steps that all see the same gradients."""
    parts = {
        part: {
            name: tf.Variable(array if part in ("weights", "average") else np.zeros_like(array))
            for name, array in start.items()
        }
        for part in ("weights", "average", "momentum", "variance")
    }
    given = {name: tf.constant(array) for name, array in gradients.items()}
    for number in range(1, steps + 1):
        update(tf, parts, given, unit_sizes(start), tf.constant(0.01), tf.constant(float(number)))
    return {name: one.numpy() for name, one in parts["weights"].items()}


def test_the_unit_of_a_channel_is_its_root_mean_square() -> None:
    weights = random_weights()
    found = unit_sizes(weights)
    expected = np.sqrt(np.mean(np.square(weights["a:kernel"]), axis=(0, 1, 2)))
    np.testing.assert_allclose(found["a:kernel"], expected, rtol=1e-5)
    assert found["a:bias"].shape == weights["a:bias"].shape
    weights["a:kernel"][..., 2] = 0
    assert unit_sizes(weights)["a:kernel"][2] > 0  # it may still grow


def test_a_step_moves_a_kernel_by_its_share(tf: Any) -> None:
    start, gradients = random_weights(), random_weights()
    gradients["a:kernel"][..., 0] *= 9
    moved = after_steps(tf, start, gradients, steps=1)["a:kernel"] - start["a:kernel"]
    share = np.sqrt(np.mean(np.square(moved / unit_sizes(start)["a:kernel"])))
    assert 0.006 < share < 0.013
    singular = np.linalg.svd((moved / unit_sizes(start)["a:kernel"]).reshape(-1, 5))[1]
    assert singular.max() < 2 * singular.min()  # those of the gradient differ by a factor of nine


@pytest.mark.parametrize("shape", [(3, 3, 6, 5), (1, 1, 4, 9), (3, 3, 1, 7), (1, 1, 8, 1)])
def test_steps_follow_the_size_of_the_channels(tf: Any, shape: tuple[int, ...]) -> None:
    """A layer of other units, whose gradients are the smaller, moves by the same shares."""
    random = np.random.default_rng(5)
    names = {"a:kernel": shape, "a:bias": shape[-1:]}
    start, gradients = (
        {name: random.normal(size=size).astype(np.float32) for name, size in names.items()}
        for _ in range(2)
    )
    scale = np.exp(random.normal(0, 0.3, shape[-1])).astype(np.float32)
    ours = after_steps(tf, start, gradients)
    scaled = after_steps(
        tf,
        {name: array * scale for name, array in start.items()},
        {name: array / scale for name, array in gradients.items()},
    )
    for name, array in ours.items():
        np.testing.assert_allclose(scaled[name] / scale, array, rtol=2e-3, atol=2e-4)


def test_steps_go_downhill(tf: Any) -> None:
    start, gradients = random_weights(), random_weights()
    ends = after_steps(tf, start, gradients)
    for name, end in ends.items():
        assert float(((end - start[name]) * gradients[name]).sum()) < 0
