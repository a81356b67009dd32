"""Ranges of a graph whose values can be told by hand."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from tallylens.converters.builder import GraphBuilder
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.ranges import cut_flat_tails, observe_ranges, tie_ranges
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
    return [np.full((8, 8, 3), colour, np.uint8) for colour in ((0, 51, 0), (204, 255, 9))]


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
    weights.const_value = ir.tensor(np.full(weights.shape, 3e38, np.float32), name="out.weight")
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
        shared,  # used as it is, too: its tail tells something
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
