"""Cutting channels that are always zero changes nothing."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from tallylens.converters.graph import DetectorGraph
from tallylens.converters.prune.channel_removal import remove_channels, set_weights, weights_of
from tallylens.converters.prune.channels import Channels, find_channels
from tallylens.edge_runtime.types import Image
from tests.support.tiny_net import RunGraph


def silence(graph: DetectorGraph, channels: Channels, dead: Collection[int]) -> None:
    """Producers of the channels `dead` give zero."""
    for node in list(graph.model.graph):
        if node.op_type == "Conv":
            weight, bias = (array.copy() for array in weights_of(node))
            gone = np.isin(channels.ids[str(node.outputs[0].name)], list(dead))
            weight[gone], bias[gone] = 0, 0
            set_weights(graph.model, node, weight, bias)


def test_without_dead_channels_the_outputs_are_the_same(
    detector: DetectorGraph, images: list[Image], run: RunGraph
) -> None:
    channels = find_channels(detector.model)
    dead = {one for group in channels.groups for one in group.channels[1::3]}
    silence(detector, channels, dead)
    cut = remove_channels(detector, channels, dead)
    for image in images[:2]:
        for found, expected in zip(run(cut, image), run(detector, image), strict=True):
            np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


def test_the_original_stays_as_it_was(
    detector: DetectorGraph, images: list[Image], run: RunGraph
) -> None:
    before = run(detector, images[0])
    channels = find_channels(detector.model)
    remove_channels(detector, channels, set(channels.groups[0].channels[:8]))
    for found, expected in zip(run(detector, images[0]), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_nothing_removed_is_the_same_function(
    detector: DetectorGraph, images: list[Image], run: RunGraph
) -> None:
    cut = remove_channels(detector, find_channels(detector.model), set())
    for found, expected in zip(run(cut, images[0]), run(detector, images[0]), strict=True):
        np.testing.assert_array_equal(found, expected)
