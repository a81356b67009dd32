"""Error feedback against plain rounding, on inputs that hang together."""

from __future__ import annotations

import numpy as np
import pytest

from tallylens.converters.quantize.rounding import round_to, round_weights
from tallylens.converters.quantize.scheme import largest_scale
from tallylens.edge_runtime.types import FloatArray

Layer = tuple[FloatArray, FloatArray]


@pytest.fixture
def layer() -> Layer:
    """(8, 24) weights and (500, 24) inputs of which neighbors are alike."""
    random = np.random.default_rng(1)
    smooth = random.normal(0, 1, (500, 25)).cumsum(axis=1)
    return random.normal(0, 1, (8, 24)).astype(np.float32), smooth[:, 1:].astype(np.float32)


def output_error(weight: np.ndarray, rounded: np.ndarray, inputs: np.ndarray) -> float:
    centered = inputs - inputs.mean(axis=0)
    return float(((centered @ (weight - rounded).T) ** 2).mean())


def test_the_output_errs_less_than_after_plain_rounding(
    layer: Layer,
) -> None:
    weight, inputs = layer
    rounded, _ = round_weights(weight, inputs)
    plain = round_to(weight, largest_scale(weight))
    assert output_error(weight, rounded, inputs) < 0.3 * output_error(weight, plain, inputs)


def test_weights_are_whole_steps_within_int8(layer: Layer) -> None:
    weight, inputs = layer
    rounded, scale = round_weights(weight, inputs)
    steps = rounded / scale[:, None]
    assert np.abs(steps - np.rint(steps)).max() < 1e-3
    assert np.abs(steps).max() <= 127.001


def test_inputs_that_never_change_are_rounded_like_any(
    layer: Layer,
) -> None:
    weight, inputs = layer
    rounded, scale = round_weights(weight, np.zeros_like(inputs))
    assert np.abs(rounded - weight).max() <= 1.01 * scale.max() * 26  # 0.8 of the range is kept


def test_a_row_of_zeros_stays_zero() -> None:
    inputs = np.random.default_rng(0).normal(0, 1, (50, 4)).astype(np.float32)
    rounded, scale = round_weights(np.zeros((2, 4), np.float32), inputs)
    assert (rounded == 0).all()
    assert (scale > 0).all()
