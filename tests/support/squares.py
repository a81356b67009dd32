"""A detector of colored squares small enough to be written here, and scenes for it.

The model really detects: it finds 16x16 squares, red ones as `car` and blue ones as `person`, by
the mass and the center of color in a window around each cell. So the whole path from a file to a
report can be tested in milliseconds, against crossings that are known by construction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tallylens.edge_runtime.metadata import METADATA_KEY, ModelMetadata
from tallylens.edge_runtime.types import Image

SIDE = 128
SQUARE = 16
STRIDE = 8
WINDOW = 24
CLASSES = ("car", "person")
RED = (0, 0, 255)
BLUE = (255, 0, 0)
FRAME_NS = 100_000_000


def tiny_metadata(class_names: Sequence[str] = CLASSES) -> ModelMetadata:
    return ModelMetadata(
        class_names=tuple(class_names),
        input_size=(SIDE, SIDE),
        strides=(STRIDE,),
        anchors=(((SQUARE, SQUARE),),),
        head_names=("head8",),
        source_name="squares",
    )


def _weights() -> dict[str, np.ndarray]:
    """Constants of the graph below, by name."""
    offset = np.arange(WINDOW, dtype=np.float32) - (WINDOW - STRIDE) / 2 + 0.5
    ones = np.ones((WINDOW, WINDOW), np.float32)
    moments = np.stack([ones, ones * offset, ones * offset[:, None]])[:, None]
    return {
        # RGB to (redness, blueness): what is above green, so that gray and white are nothing.
        "to_colors": np.array([[1, -1, 0], [0, -1, 1]], np.float32)[:, :, None, None],
        "to_mass": np.ones((1, 2, 1, 1), np.float32),
        "moments": moments,
        "windows": np.stack([ones[None], ones[None]]),
        "to_class": np.array([[20, -20], [-20, 20]], np.float32)[:, :, None, None] / SQUARE**2,
        "mass_gain": np.array(30 / SQUARE**2, np.float32),
        "mass_bias": np.array(-22.5, np.float32),
        "tiny": np.array(1e-6, np.float32),
        "half": np.array(0.5, np.float32),
        "cell": np.array(1 / STRIDE, np.float32),
        "low": np.array(0.02, np.float32),
        "high": np.array(0.98, np.float32),
        "one": np.array(1, np.float32),
        "zero": np.array(0, np.float32),
    }


def tiny_model_proto(class_names: Sequence[str] = CLASSES) -> onnx.ModelProto:
    node = helper.make_node
    window: dict[str, Any] = {"strides": [STRIDE] * 2, "pads": [(WINDOW - STRIDE) // 2] * 4}
    nodes = [
        node("Conv", ["images", "to_colors"], ["difference"]),
        node("Relu", ["difference"], ["colors"]),
        node("Conv", ["colors", "to_mass"], ["mass"]),
        node("Conv", ["mass", "moments"], ["sums"], **window),
        node("Split", ["sums"], ["sum0", "sumx", "sumy"], axis=1),
        node("Concat", ["sumx", "sumy"], ["first"], axis=1),
        node("Add", ["sum0", "tiny"], ["sum0_above_zero"]),
        node("Div", ["first", "sum0_above_zero"], ["center_px"]),
        # YOLOv5: center = (2 * sigmoid(t) - 0.5 + cell) * stride.
        node("Mul", ["center_px", "cell"], ["center"]),
        node("Add", ["center", "half"], ["shifted"]),
        node("Mul", ["shifted", "half"], ["share"]),
        node("Clip", ["share", "low", "high"], ["p"]),
        node("Sub", ["one", "p"], ["q"]),
        node("Div", ["p", "q"], ["odds"]),
        node("Log", ["odds"], ["txy"]),
        node("Mul", ["txy", "zero"], ["twh"]),
        node("Mul", ["sum0", "mass_gain"], ["gained"]),
        node("Add", ["gained", "mass_bias"], ["objectness"]),
        node("Conv", ["colors", "windows"], ["class_sums"], group=2, **window),
        node("Conv", ["class_sums", "to_class"], ["classes"]),
        node("Concat", ["txy", "twh", "objectness", "classes"], ["head8"], axis=1),
    ]
    cells = SIDE // STRIDE
    graph = helper.make_graph(
        nodes,
        "squares",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("head8", TensorProto.FLOAT, [1, 7, cells, cells])],
        [numpy_helper.from_array(array, name) for name, array in _weights().items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    helper.set_model_props(model, {METADATA_KEY: tiny_metadata(class_names).to_json()})
    onnx.checker.check_model(model)
    return model


@dataclass(frozen=True)
class Walker:
    """A square whose center moves evenly from `start` to `end` over the scene, in pixels."""

    color: tuple[int, int, int]
    start: tuple[float, float]
    end: tuple[float, float]


DOWN = Walker(RED, (32, 16), (32, 112))
UP = Walker(BLUE, (96, 112), (96, 16))


def scene(
    walkers: Iterable[Walker] = (DOWN, UP), frames: int = 30, size: tuple[int, int] = (SIDE, SIDE)
) -> list[Image]:
    """Frames (height, width, 3) uint8 BGR of the moving squares; `size` is (width, height)."""
    images = [np.zeros((size[1], size[0], 3), np.uint8) for _ in range(frames)]
    for walker in walkers:
        for fraction, image in zip(np.linspace(0, 1, frames), images, strict=True):
            x, y = (
                round(a + (b - a) * fraction) - SQUARE // 2
                for a, b in zip(walker.start, walker.end, strict=True)
            )
            image[max(y, 0) : max(y + SQUARE, 0), max(x, 0) : max(x + SQUARE, 0)] = walker.color
    return images


def timed(images: Iterable[Image]) -> list[tuple[int, Image]]:
    """Pairs of (nanoseconds, image), a tenth of a second apart, as Counter.run takes them."""
    return [(i * FRAME_NS, image) for i, image in enumerate(images)]


def write_video(path: Path, images: Sequence[Image], fps: float = 10.0) -> Path:
    height, width = images[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, (width, height))
    assert writer.isOpened()
    for image in images:
        writer.write(image)
    writer.release()
    return path
