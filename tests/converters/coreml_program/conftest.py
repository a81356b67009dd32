"""A package of one convolution, small enough to be taken apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from tallylens.converters.builder import GraphBuilder
from tallylens.converters.emit.coreml.emitter import emit_coreml
from tallylens.converters.graph import DetectorGraph
from tallylens.edge_runtime.metadata import ModelMetadata

SIZE = (16, 32)


def tiny_graph() -> DetectorGraph:
    random = np.random.default_rng(5)
    builder = GraphBuilder(SIZE, batch=1)
    weight = random.normal(0, 0.2, (6, 3, 3, 3)).astype(np.float32)
    bias = random.normal(0, 0.2, 6).astype(np.float32)
    head = builder.conv("head", builder.input, weight, bias, strides=(2, 2), pads=(1, 1, 1, 1))
    metadata = ModelMetadata(("car",), SIZE, (2,), (((4.0, 4.0),),), ("head2",), source_name="net")
    return builder.finish([head], metadata)


@pytest.fixture(scope="session")
def files() -> Mapping[str, bytes]:
    return emit_coreml(tiny_graph(), quantization="fp16")


@pytest.fixture(scope="session")
def boxes() -> Mapping[str, bytes]:
    return emit_coreml(tiny_graph(), nms=True)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Mapping[str, bytes]], Path]:
    def write(files: Mapping[str, bytes], name: str = "net.mlpackage") -> Path:
        for inside, content in files.items():
            path = tmp_path / name / inside
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return tmp_path / name

    return write
