"""The detectors of `tests.support.tiny_net` and images for them."""

from __future__ import annotations

import pytest

from tallylens.converters.graph import DetectorGraph
from tallylens.edge_runtime.types import Image
from tests.support.tiny_net import RunGraph, TinyNet, build_detector, random_images, run_emitted


@pytest.fixture
def net() -> TinyNet:
    return TinyNet()


@pytest.fixture
def detector() -> DetectorGraph:
    return build_detector()


@pytest.fixture(scope="session")
def images() -> list[Image]:
    return random_images(8)


@pytest.fixture(scope="session")
def run() -> RunGraph:
    return run_emitted
