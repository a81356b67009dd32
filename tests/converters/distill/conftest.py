"""A tiny teacher, a damaged student and a folder of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from tallylens.converters.builder import GraphBuilder
from tallylens.converters.distill.student import read_weights, write_weights
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.shapes import size_of
from tallylens.edge_runtime.metadata import ModelMetadata


def build_teacher(width: int = 8) -> DetectorGraph:
    random = np.random.default_rng(2)
    builder = GraphBuilder((64, 64), batch=1)

    def conv(name: str, x: ir.Value, outputs: int, side: int, stride: int) -> ir.Value:
        inputs = size_of(x)[0]
        weight = random.normal(
            0, (2 / (inputs * side * side)) ** 0.5, (outputs, inputs, side, side)
        )
        return builder.conv(
            name,
            x,
            weight.astype(np.float32),
            random.normal(0, 0.2, outputs).astype(np.float32),
            strides=(stride, stride),
            pads=(side // 2,) * 4,
        )

    x = builder.silu("one", conv("one", builder.input, width, 3, 2))
    x = builder.silu("two", conv("two", x, width, 3, 2))
    deep = builder.silu("three", conv("three", x, width, 3, 2))
    heads = [conv("head", deep, 2 * (5 + 2), 1, 1)]
    metadata = ModelMetadata(
        class_names=("car", "bus"),
        input_size=(64, 64),
        strides=(8,),
        anchors=(((10.0, 13.0), (16.0, 30.0)),),
        head_names=("head8",),
        source_name="tiny.pt",
    )
    return builder.finish(heads, metadata)


@pytest.fixture(scope="session")
def teacher() -> DetectorGraph:
    return build_teacher()


@pytest.fixture(scope="session")
def student(teacher: DetectorGraph) -> DetectorGraph:
    random = np.random.default_rng(9)
    return write_weights(
        teacher,
        {
            name: (array * random.uniform(0.5, 1.5, array.shape)).astype(np.float32)
            for name, array in read_weights(teacher).items()
        },
    )


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import cv2

    random = np.random.default_rng(4)
    path = tmp_path_factory.mktemp("images")
    for index in range(9):
        coarse = random.integers(0, 256, (12, 16, 3)).astype(np.uint8)
        cv2.imwrite(str(path / f"{index}.png"), cv2.resize(coarse, (96, 72)))
    return path


class Clock:
    """One second a look, so that the number of steps is known."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ticking() -> type[Clock]:
    return Clock
