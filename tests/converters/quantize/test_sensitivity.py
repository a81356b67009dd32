"""Sensitivity of a model with attention, whose shapes hold for one size."""

from __future__ import annotations

import numpy as np
import pytest

from tallylens.converters.quantize.calibrate import observe_ranges
from tallylens.converters.quantize.head_ranges import round_to_range
from tallylens.converters.quantize.sensitivity import measure_sensitivity
from tallylens.converters.quantize.statistics import to_input
from tests.support.tiny_graph import build_gated_graph, random_images, run_graph


def test_a_head_changes_by_its_own_rounding() -> None:
    graph = build_gated_graph((64, 96))
    (image,) = random_images((64, 96), 1)
    ranges = observe_ranges(graph, [image]).ranges
    found = measure_sensitivity(graph, ranges, to_input(image))
    # Its middle, in the same weights made for that size.
    heads = run_graph(build_gated_graph((32, 48)), image[16:48, 24:72])
    names = graph.metadata.head_names
    for name, head in zip(names, heads, strict=True):
        change = np.maximum(round_to_range(head, ranges[name]), -7) - np.maximum(head, -7)
        total = sum(one.size for one in heads)
        assert found[name] == pytest.approx(np.sqrt((change**2).sum() / total), rel=0.02)
