"""The whole calibration on a small graph, and what it says about poor images."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from tallylens.converters.builder import GraphBuilder
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.quantize.calibrate import calibrate
from tallylens.converters.quantize.quality import warnings_about
from tallylens.edge_runtime.metadata import ModelMetadata
from tallylens.edge_runtime.types import FloatArray, Image

SIDE = 32


@pytest.fixture(scope="module")
def graph() -> DetectorGraph:
    random = np.random.default_rng(8)
    builder = GraphBuilder((SIDE, SIDE), batch=1)

    def conv(name: str, x: ir.Value, inputs: int, outputs: int, side: int, stride: int) -> ir.Value:
        weight = random.normal(0, 0.4, (outputs, inputs, side, side)).astype(np.float32)
        bias = random.normal(0, 0.3, outputs).astype(np.float32)
        pads = (side // 2,) * 4
        return builder.conv(name, x, weight, bias, strides=(stride, stride), pads=pads)

    one = builder.silu("one", conv("one", builder.input, 3, 8, 3, 2))
    two = builder.silu("two", conv("two", one, 8, 8, 3, 1))
    head = conv("out", builder.concat("join", [one, two]), 16, 12, 1, 1)
    metadata = ModelMetadata(("a",), (SIDE, SIDE), (2,), (((4.0, 4.0), (8.0, 8.0)),), ("head2",))
    return builder.finish([head], metadata)


def values(graph: DetectorGraph, name: str) -> FloatArray:
    tensor = graph.model.graph.initializers[name].const_value
    assert tensor is not None
    return np.asarray(tensor.numpy())


def images(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(6)
    return [random.integers(0, 256, (SIDE, SIDE, 3), np.uint8) for _ in range(count)]


def test_everything_that_emitters_read(graph: DetectorGraph) -> None:
    stages: set[str] = set()
    scheme = calibrate(
        graph, images(12), 12, lambda stage, _done: stages.add(stage), sensitivities=True
    )
    assert stages == {"calibrate", "fit", "sensitivity"}
    values = {str(node.outputs[0].name) for node in graph.model.graph}
    assert set(scheme.ranges) == values | {"images"}
    assert all(low <= 0 <= high for low, high in scheme.ranges.values())
    kernels = {name for name in graph.model.graph.initializers if name.endswith("weight")}
    assert set(scheme.weight_scales) == kernels
    assert set(scheme.sensitivity) < values
    assert all(0 <= change < 0.5 for change in scheme.sensitivity.values())
    assert (scheme.images, scheme.method) == (12, "output_error")


def test_the_graph_itself_stays_as_it_is(graph: DetectorGraph) -> None:
    before = {name: values(graph, name).copy() for name in graph.model.graph.initializers}
    scheme = calibrate(graph, images(4), 4)
    adjusted = scheme.apply(graph)
    for name, array in before.items():
        assert (values(graph, name) == array).all()
    assert (values(adjusted, "one.weight") != before["one.weight"]).any()


def test_the_same_images_give_the_same_scheme(graph: DetectorGraph) -> None:
    first, second = (calibrate(graph, images(4), 4, sensitivities=True) for _ in range(2))
    assert first.ranges == second.ranges
    assert first.sensitivity == second.sensitivity
    assert all((first.weights[name] == second.weights[name]).all() for name in first.weights)


def test_few_images_are_named(graph: DetectorGraph) -> None:
    (warning,) = calibrate(graph, images(3), 3).warnings
    assert warning.startswith("calibrated on 3 images only: ranges may be too narrow")


@pytest.mark.parametrize(
    ("some", "words"),
    [
        ([np.full((64, 64, 3), 128, np.uint8)] * 4, "one plain color"),
        (
            [
                np.pad(
                    np.full((40, 64, 3), 128, np.uint8),
                    ((12, 12), (0, 0), (0, 0)),
                    constant_values=114,
                )
            ],
            "one plain color",
        ),
        ([np.tile(np.arange(64, dtype=np.uint8)[:, None, None] * 4, (1, 64, 3))] * 4, "all alike"),
    ],
)
def test_images_that_show_nothing_are_named(some: list[Image], words: str) -> None:
    (warning,) = warnings_about(64, some)
    assert words in warning


def test_good_images_are_no_reason_to_warn() -> None:
    assert list(warnings_about(32, images(4))) == []
