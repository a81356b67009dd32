"""Checkpoints of YOLOv5u, YOLOv8 and YOLO11: heads and boxes against those of the package."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from tallylens.converters.emit.onnx import emit_onnx
from tallylens.converters.load import load

pytestmark = [pytest.mark.realdata, pytest.mark.slow]

CONVERTED = (
    *("ultra-yolov5u", "ultra-yolov8", "ultra-yolov8-8.0.40"),
    *("ultra-yolo11", "ultra-yolo11-training"),
)


@pytest.fixture
def wild(data: Path) -> Path:
    return data / "checkpoints" / "wild"


@pytest.mark.parametrize("stem", CONVERTED)
def test_heads_are_those_of_the_package(wild: Path, stem: str) -> None:
    golden = np.load(wild / f"{stem}.golden.npz")
    images = golden["images"]
    graph = load(wild / f"{stem}.pt", input_size=images.shape[2:])
    heads = ort.InferenceSession(emit_onnx(graph)).run(None, {"images": images})
    for number, found in enumerate(heads):
        wanted = golden[f"head{number}"]
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() <= 2e-4
    document = json.loads(graph.metadata.to_json())
    assert document["format_version"] == 2
    assert document["reg_max"] == int(golden["reg_max"])
    assert document["strides"] == golden["strides"].ravel().tolist()
    assert document["anchors"] == [[]] * len(heads)


@pytest.mark.parametrize("stem", CONVERTED)
def test_the_size_of_the_training_is_taken(wild: Path, stem: str) -> None:
    assert load(wild / f"{stem}.pt").metadata.input_size == (320, 320)
