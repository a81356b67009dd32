"""The server's form of a model finds what the device's form finds, in any batch."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from tallylens.cloud_fallback.server.models import (
    BatchedDetector,
    ModelInstances,
    SingleFrameDetector,
)
from tallylens.converters.convert import convert
from tallylens.converters.emit.onnx_server import emit_onnx_server
from tallylens.converters.load import load
from tallylens.edge_runtime.detection.detector import Detector
from tallylens.edge_runtime.engines import open_engine
from tallylens.edge_runtime.errors import ModelError, UsageError
from tallylens.edge_runtime.types import Detections
from tests.support.conversions import converted


def same(found: Detections, expected: Detections) -> None:
    assert found.class_id.tolist() == expected.class_id.tolist()
    np.testing.assert_allclose(found.xyxy, expected.xyxy, atol=2e-3)
    np.testing.assert_allclose(found.confidence, expected.confidence, atol=1e-5)


@pytest.mark.slow
@pytest.mark.realdata
def test_the_server_form_finds_the_same_in_any_batch(data: Path, tmp_path: Path) -> None:
    source = data / "models" / "yolov5n.pt"
    plain = converted(source, "onnx", "192x320")
    served = convert(source, out_dir=tmp_path, targets=["onnx"], input_size=(192, 320), server=True)
    assert served.path_of("onnx").name == "yolov5n-server.onnx"
    paths = sorted((data / "coco/images/val").iterdir())[:5]
    images = [np.asarray(cv2.imread(str(path)), np.uint8) for path in paths]
    instances = ModelInstances(served.path_of("onnx"), 1)
    (detector,) = instances.detectors
    assert isinstance(detector, BatchedDetector)
    assert detector.max_batch > 1
    with open_engine(plain) as engine:
        local = Detector(engine)
        expected = [local.detect(image) for image in images]
    for batch in (images[:1], images, images[:3]):
        for found, truth in zip(detector.detect(batch), expected, strict=False):
            same(found, truth)
    assert sum(map(len, expected)) > 20
    assert detector.detect([]) == []
    instances.close()


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["p6-tiny-4class", "leaky-tiny-2class"])
def test_what_leaves_the_accelerator_is_small(data: Path, name: str) -> None:
    model = onnx.load_from_string(emit_onnx_server(load(data / "checkpoints" / f"{name}.pt")))
    onnx.checker.check_model(model, full_check=True)
    (frames,) = model.graph.input
    (detections,) = model.graph.output
    assert frames.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    sides = [one.dim_value for one in frames.type.tensor_type.shape.dim]
    assert (sides[0], sides[3]) == (0, 3)
    _, rows, columns = (one.dim_value for one in detections.type.tensor_type.shape.dim)
    assert columns == 6
    assert rows * columns * 4 <= 32 << 10


def test_a_plain_model_runs_frame_by_frame_in_each_instance(tiny_model: Path) -> None:
    instances = ModelInstances(tiny_model, 3)
    assert [type(one) for one in instances.detectors] == [SingleFrameDetector] * 3
    assert instances.detectors[0].max_batch == 1
    instances.close()


def test_a_file_without_a_model_is_refused(tmp_path: Path) -> None:
    for content in (b"no model", b""):
        (tmp_path / "model.onnx").write_bytes(content)
        with pytest.raises(ModelError):
            ModelInstances(tmp_path / "model.onnx")


def test_the_server_form_is_onnx_alone(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--server writes ONNX only"):
        convert(tmp_path / "a.pt", out_dir=tmp_path, targets=["onnx", "tflite"], server=True)
