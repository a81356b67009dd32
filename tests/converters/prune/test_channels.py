"""Channels that live and die together, against groups written by hand."""

from __future__ import annotations

import numpy as np

from tallylens.converters.graph import DetectorGraph
from tallylens.converters.prune.channels import find_channels
from tests.support.tiny_net import TinyNet


def widths(graph: DetectorGraph) -> dict[str, int]:
    return {group.name: len(group.channels) for group in find_channels(graph.model).groups}


def test_residual_adds_tie_all_that_meet_in_them(net: TinyNet) -> None:
    x = net.conv("stem", net.builder.input, 8, 3, 2)
    for index in (1, 2):
        inner = net.conv(f"inner{index}", x, 8)
        x = net.builder.add("Add", f"sum{index}", [x, net.conv(f"outer{index}", inner, 8, 3)])
    graph = net.finish(net.plain("head", x, 16))
    channels = find_channels(graph.model)
    assert widths(graph) == {"stem/Conv": 8, "inner1/Conv": 8, "inner2/Conv": 8}
    for name in ("stem/Conv", "outer1/Conv", "outer2/Conv", "sum1", "sum2"):
        assert channels.ids[name].tolist() == list(channels.groups[-1].channels) or (
            channels.ids[name].tolist() == channels.ids["stem/Conv"].tolist()
        )
    assert not set(channels.ids["inner1/Conv"]) & set(channels.ids["stem/Conv"])


def test_concat_puts_channels_in_a_row(net: TinyNet) -> None:
    x = net.conv("stem", net.builder.input, 8, 3, 2)
    a, b = net.conv("a", x, 8), net.conv("b", x, 16)
    joined = net.builder.concat("join", [a, b, a])
    graph = net.finish(net.plain("head", joined, 16))
    ids = find_channels(graph.model).ids
    expected = np.concatenate([ids["a/Conv"], ids["b/Conv"], ids["a/Conv"]])
    assert ids["join/Concat"].tolist() == expected.tolist()
    assert widths(graph) == {"stem/Conv": 8, "a/Conv": 8, "b/Conv": 16}


def test_pools_upsampling_and_activations_hand_channels_on(net: TinyNet) -> None:
    x = net.conv("stem", net.builder.input, 8, 3, 2)
    for op, attributes in (("LeakyRelu", {"alpha": 0.1}), ("Relu", {}), ("HardSwish", {})):
        x = net.builder.add(op, op, [x], attributes)
    pooled = net.builder.max_pool("pool", x, (5, 5), (1, 1), (2, 2, 2, 2))
    up = net.builder.upsample("up", net.builder.concat("join", [x, pooled]))
    graph = net.finish(net.plain("head", up, 16))
    channels = find_channels(graph.model)
    stem = channels.ids["stem/Conv"].tolist()
    assert channels.ids["up/Resize"].tolist() == stem + stem
    assert [group.channels for group in channels.groups] == [tuple(stem)]


def test_adding_after_a_concat_ties_its_parts(net: TinyNet) -> None:
    x = net.conv("stem", net.builder.input, 8, 3, 2)
    a, b, c = net.conv("a", x, 8), net.conv("b", x, 8), net.conv("c", x, 16)
    joined = net.builder.concat("join", [a, b])
    graph = net.finish(net.plain("head", net.builder.add("Add", "sum", [joined, c]), 16))
    assert sorted(widths(graph).values()) == [8, 16]
    ids = find_channels(graph.model).ids
    assert ids["c/Conv"].tolist() == ids["a/Conv"].tolist() + ids["b/Conv"].tolist()


def test_a_depthwise_conv_hands_channels_on(net: TinyNet) -> None:
    x = net.conv("stem", net.builder.input, 8, 3, 2)
    each = net.builder.conv(
        "each", x, np.ones((8, 1, 1, 1), np.float32), np.zeros(8, np.float32), group=8
    )
    graph = net.finish(net.plain("head", each, 16))
    ids = find_channels(graph.model).ids
    assert ids["each/Conv"].tolist() == ids["stem/Conv"].tolist()
    assert widths(graph) == {"stem/Conv": 8}


def test_heads_input_and_grouped_convs_are_kept(net: TinyNet) -> None:
    x = net.conv("stem", net.builder.input, 8, 3, 2)
    grouped = net.builder.conv(
        "grouped", x, np.ones((8, 4, 1, 1), np.float32), np.zeros(8, np.float32), group=2
    )
    last = net.conv("last", grouped, 8)
    graph = net.finish(net.plain("head", last, 16))
    assert widths(graph) == {"last/Conv": 8}
