"""Ranges of heads: small steps for boxes, nothing that a score shows is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens.converters.distance.heads import detection_error
from tallylens.converters.quantize.head_ranges import choose_head_ranges, round_to_range, run_float
from tallylens.converters.quantize.statistics import to_input
from tallylens.edge_runtime.metadata import ModelMetadata
from tallylens.edge_runtime.types import FloatArray
from tests.support.distribution_graph import build_distribution_graph

METADATA = ModelMetadata(
    ("a", "b"), (64, 64), (8,), (((10.0, 13.0), (16.0, 30.0)),), ("head8",), source_name="t"
)


def head(largest_class: float, largest_box: float) -> FloatArray:
    """One head (2, 14, 8, 8) of background and some objects."""
    random = np.random.default_rng(3)
    values = random.normal(-9, 2, (2, 2, 7, 8, 8)).astype(np.float32)
    values[:, :, :4] = random.uniform(-1, 1, (2, 2, 4, 8, 8)) * largest_box
    values[:, :, 4, ::3, ::3] = 1.5
    values[:, :, 5, ::3, ::3] = random.uniform(0, largest_class, (2, 2, 3, 3))
    return values.reshape(2, 14, 8, 8)


def test_class_logits_that_no_score_shows_are_cut() -> None:
    found = head(12.0, 3.0)
    low, high = choose_head_ranges(METADATA, [found], {"head8": (-7.0, 12.0)})["head8"]
    assert low == -7
    assert 3 <= high < 8
    cut, whole = (round_to_range(found, (-7.0, end)) for end in (high, 12.0))
    errors = [detection_error(METADATA, [one], [found]) for one in (cut, whole)]
    assert errors[0] < 0.8 * errors[1]


def test_boxes_are_not_cut_for_smaller_steps() -> None:
    found = head(2.0, 1.0).reshape(2, 2, 7, 8, 8)
    found[:, :, 2:4, ::3, ::3] = 5.0
    wide = found.reshape(2, 14, 8, 8)
    _, high = choose_head_ranges(METADATA, [wide], {"head8": (-7.0, 8.0)})["head8"]
    assert high >= 5


def test_a_head_of_small_values_keeps_its_range() -> None:
    limits = {"head8": (-2.0, 1.25)}
    assert choose_head_ranges(METADATA, [head(1.0, 1.0)], limits) == limits


def test_heads_without_anchors() -> None:
    graph = build_distribution_graph()
    names = graph.metadata.head_names
    random = np.random.default_rng(0)
    height, width = graph.metadata.input_size
    images = [random.integers(0, 256, (height, width, 3), np.uint8) for _ in range(2)]
    heads = run_float(graph, images)
    assert [len(one) for one in heads] == [2] * len(names)
    assert to_input(images[0]).shape == (1, 3, height, width)
    ranges = dict.fromkeys(names, (-7.0, 9.0))
    found = choose_head_ranges(graph.metadata, heads, ranges)
    assert all(low == -7 and 4 <= high <= 9 for low, high in found.values())


@given(st.floats(-50, 0), st.floats(0.1, 50))
def test_rounding_stays_within_a_step(low: float, high: float) -> None:
    values = np.linspace(low, high, 300, dtype=np.float32)
    rounded = round_to_range(values, (low, high))
    step = (high - low) / 255
    assert len(np.unique(rounded)) <= 256
    # The grid holds zero exactly, so that its ends may be half a step inside.
    assert np.abs(rounded - values).max() == pytest.approx(0, abs=1.01 * step)
    assert round_to_range(np.zeros(1, np.float32), (low, high))[0] == 0
