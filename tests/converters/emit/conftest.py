"""The graph of every operator, and what ONNX Runtime makes of it."""

from __future__ import annotations

import pytest

from tallylens.converters.graph import DetectorGraph
from tallylens.converters.quantize.calibrate import observe_ranges
from tallylens.converters.quantize.scheme import Calibration
from tallylens.edge_runtime.types import Image
from tests.support.tiny_graph import Heads, build_graph, random_images, run_graph


@pytest.fixture(scope="session")
def graph() -> DetectorGraph:
    return build_graph()


@pytest.fixture(scope="session")
def image(graph: DetectorGraph) -> Image:
    return random_images(graph.metadata.input_size, 1)[0]


@pytest.fixture(scope="session")
def expected(graph: DetectorGraph, image: Image) -> Heads:
    return run_graph(graph, image)


@pytest.fixture(scope="session")
def calibration(graph: DetectorGraph) -> Calibration:
    return observe_ranges(graph, random_images(graph.metadata.input_size, 4))
