"""Ranges of a graph whose values can be worked out by hand."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from tallylens.converters.builder import GraphBuilder
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.quantize.calibrate import observe_ranges
from tallylens.converters.quantize.range_selection import choose_ranges, cut_flat_tails, tie_ranges
from tallylens.converters.quantize.statistics import Statistics
from tallylens.edge_runtime.errors import ModelError
from tallylens.edge_runtime.metadata import ModelMetadata


@pytest.fixture
def graph() -> DetectorGraph:
    """`low` = 2 x red - 0.5, `high` = 4 x green, joined."""
    builder = GraphBuilder((8, 8), batch=1)
    weights = np.zeros((2, 1, 3, 1, 1), np.float32)
    weights[0, 0, 0], weights[1, 0, 1] = 2, 4
    low = builder.conv("low", builder.input, weights[0], np.array([-0.5], np.float32))
    high = builder.conv("high", builder.input, weights[1], np.array([0], np.float32))
    joined = builder.concat("joined", [low, high])
    pooled = builder.max_pool("pooled", joined, (3, 3), (1, 1), (1, 1, 1, 1))
    head = builder.conv("out", pooled, np.ones((6, 2, 1, 1), np.float32), np.zeros(6, np.float32))
    metadata = ModelMetadata(("car",), (8, 8), (1,), (((1.0, 1.0),),), ("head1",))
    return builder.finish([head], metadata)


def images() -> list[np.ndarray]:
    return [np.full((8, 8, 3), color, np.uint8) for color in ((0, 51, 0), (204, 255, 9))]


def test_smallest_and_largest_over_all_images(graph: DetectorGraph) -> None:
    done: list[int] = []
    calibration = observe_ranges(graph, images(), done.append)
    names = {node.name: str(node.outputs[0].name) for node in graph.model.graph}
    ranges = calibration.ranges
    assert ranges["images"] == (0, 1)
    assert ranges[names["low/Conv"]] == pytest.approx((-0.5, 1.1))
    assert ranges[names["high/Conv"]] == pytest.approx((0, 4))
    assert ranges["head1"] == pytest.approx((0, 5.1))
    assert (calibration.images, done) == (2, [1, 2])


def test_every_range_holds_zero(graph: DetectorGraph) -> None:
    ranges = observe_ranges(graph, images()[1:]).ranges
    assert all(low <= 0 <= high for low, high in ranges.values())


def test_overflow_is_refused(graph: DetectorGraph) -> None:
    weights = graph.model.graph.initializers["out.weight"]
    weights.const_value = ir.tensor(np.full((6, 2, 1, 1), 3e38, np.float32), name="out.weight")
    with pytest.raises(ModelError) as refusal:
        observe_ranges(graph, images())
    assert str(refusal.value) == (
        "model: gives values that are not numbers on these images. "
        "Check that the checkpoint detects anything before it is converted."
    )


def test_values_that_are_only_moved_share_one_range(graph: DetectorGraph) -> None:
    tied = tie_ranges(graph, observe_ranges(graph, images()).ranges)
    moved = [tied[str(n.outputs[0].name)] for n in graph.model.graph if n.op_type != "Conv"]
    parts = [tied[str(n.outputs[0].name)] for n in list(graph.model.graph)[:2]]
    assert moved == [pytest.approx((-0.5, 4))] * 2
    assert parts == [pytest.approx((-0.5, 4))] * 2
    assert tied["head1"] == pytest.approx((0, 5.1))
    assert tied["images"] == (0, 1)


def test_flat_tails_are_cut_and_only_those() -> None:
    builder = GraphBuilder((8, 8), batch=1)

    def conv(name: str) -> ir.Value:
        return builder.conv(
            name, builder.input, np.ones((6, 3, 1, 1), np.float32), np.zeros(6, np.float32)
        )

    silu, hard, shared, relu = (conv(name) for name in ("silu", "hard", "shared", "relu"))
    parts = [
        builder.silu("a", silu),
        builder.add("HardSwish", "b", [hard]),
        builder.add("Relu", "c", [relu]),
        builder.silu("d", shared),
        shared,  # used as it is, too: its tail matters
    ]
    joined = builder.concat("joined", parts)
    metadata = ModelMetadata(("car",), (8, 8), (1,), (((1.0, 1.0),),), ("head1",))
    head = builder.conv("out", joined, np.ones((6, 30, 1, 1), np.float32), np.zeros(6, np.float32))
    graph = builder.finish([head], metadata)
    wide = {str(value.name): (-130.0, 50.0) for value in (silu, hard, shared, relu)}
    assert cut_flat_tails(graph, wide) == wide | {
        str(silu.name): (-8.0, 50.0),
        str(hard.name): (-3.0, 50.0),
    }
    narrow = dict.fromkeys(wide, (-1.0, 1.0))
    assert cut_flat_tails(graph, narrow) == narrow


def silu_graph(size: int = 32) -> DetectorGraph:
    """One convolution with SiLU between the image and the head."""
    builder = GraphBuilder((size, size), batch=1)
    weight = np.full((4, 3, 1, 1), 2, np.float32)
    hidden = builder.silu("a", builder.conv("a", builder.input, weight, np.zeros(4, np.float32)))
    head = builder.conv("out", hidden, np.ones((6, 4, 1, 1), np.float32), np.zeros(6, np.float32))
    metadata = ModelMetadata(("car",), (size, size), (1,), (((1.0, 1.0),),), ("head1",))
    return builder.finish([head], metadata)


def statistics(low: float, high: float, typical: float) -> Statistics:
    """Values around `typical`, and ends that are too rare to be among the samples."""
    values = np.random.default_rng(4).normal(0, typical, (4, 5000)).astype(np.float32)
    return Statistics({"a/Conv": (low, high), "head1": (-30.0, 5.0)}, {"a/Conv": values}, 8)


def test_a_rare_large_value_does_not_cost_all_others_their_steps() -> None:
    low, high = choose_ranges(silu_graph(), statistics(-40, 40, 1.0))["a/Conv"]
    assert low == -8
    assert high == pytest.approx(24)  # six tenths of 40


def test_a_range_that_is_used_to_its_end_is_kept() -> None:
    graph = silu_graph()
    values = np.random.default_rng(4).uniform(-4, 6, (4, 5000)).astype(np.float32)
    limits = {"a/Conv": (-4.0, 6.0), "head1": (-3.0, 5.0)}
    chosen = choose_ranges(graph, Statistics(limits, {"a/Conv": values}, 8))
    assert chosen["a/Conv"] == pytest.approx((-4, 6), rel=0.1)


def test_what_follows_from_a_range_and_what_no_score_needs() -> None:
    ranges = choose_ranges(silu_graph(), statistics(-40, 10, 4.0))
    silu = next(name for name in ranges if name.endswith("Mul"))
    assert ranges[silu][0] == pytest.approx(-0.2785, abs=1e-3)
    assert ranges[silu][1] == pytest.approx(ranges["a/Conv"][1], rel=0.01)
    assert ranges["head1"] == (-7, 5)
    assert ranges["images"] == (0, 1)
