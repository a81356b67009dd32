"""Real checkpoints through the emitters, against what PyTorch computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tallylens.converters.calibration import letterbox
from tallylens.converters.convert import convert
from tallylens.converters.emit.onnx import emit_onnx
from tallylens.converters.emit.tflite import emit_tflite
from tallylens.converters.evaluate import evaluate
from tallylens.converters.load import load
from tallylens.edge_runtime.metadata import ModelMetadata
from tallylens.edge_runtime.types import Detections, Image

pytestmark = pytest.mark.realdata

Floats = npt.NDArray[np.float32]
CHECKPOINTS = [
    "leaky-tiny-2class",
    "p6-tiny-4class",
    "v5-focus-spp-tiny",
    "v7-tiny-3class",
]
CONFIDENCE = 0.001
NMS_IOU = 0.6
MAX_DETECTIONS = 300
# Boxes of different classes are moved this far apart, so that one NMS serves all classes.
CLASS_OFFSET = 7680.0


def run_onnx(content: bytes, images: Floats) -> list[Floats]:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return [h.transpose(0, 2, 3, 1) for h in session.run(None, {"images": images})]


def open_tflite(content: bytes) -> Callable[[npt.NDArray[np.generic]], list[Floats]]:
    """A function from the input tensor to the dequantised heads."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=2)
    interpreter.allocate_tensors()

    def run(images: npt.NDArray[np.generic]) -> list[Floats]:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
        interpreter.invoke()
        heads = []
        for output in interpreter.get_output_details():
            values = interpreter.get_tensor(output["index"])
            scale, zero_point = output["quantization"]
            if values.dtype != np.float32:
                values = (values.astype(np.float32) - zero_point) * np.float32(scale)
            heads.append(values)
        return heads

    return run


def golden_heads(golden: dict[str, Floats], count: int) -> list[Floats]:
    """(1, anchors, h, w, values) as (1, h, w, anchors * values)."""
    heads = [golden[f"head{index}"].transpose(0, 2, 3, 1, 4) for index in range(count)]
    return [head.reshape(*head.shape[:3], -1) for head in heads]


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_heads_of_every_architecture(data: Path, name: str, largest_error) -> None:
    golden = dict(np.load(data / "checkpoints" / f"{name}.golden.npz"))
    images = golden["images"]
    graph = load(data / "checkpoints" / f"{name}.pt", input_size=images.shape[2:])
    expected = golden_heads(golden, len(graph.metadata.head_names))
    assert largest_error(run_onnx(emit_onnx(graph), images), expected) <= 2e-4
    pixels = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    assert largest_error(open_tflite(emit_tflite(graph))(pixels), expected) <= 2e-3


def test_yolov5n_heads(data: Path, largest_error) -> None:
    golden = dict(np.load(data / "models" / "yolov5n-bus.golden.npz"))
    graph = load(data / "models" / "yolov5n.pt")
    expected = golden_heads(golden, 3)
    pixels = golden["images_u8"][None].astype(np.float32) / np.float32(255)
    assert largest_error(run_onnx(emit_onnx(graph), pixels.transpose(0, 3, 1, 2)), expected) <= 2e-3
    assert largest_error(open_tflite(emit_tflite(graph))(pixels), expected) <= 2e-3


def test_yolov5n_int8_keeps_its_accuracy(data: Path, tmp_path: Path) -> None:
    report = convert(
        data / "models" / "yolov5n.pt",
        out_dir=tmp_path,
        quantize="int8",
        calibration=data / "coco" / "images" / "calib",
    )
    run = open_tflite(report.path_of("tflite").read_bytes())
    detect = detector(lambda image: run(image[None]), report.metadata)
    result = evaluate(detect, data / "coco" / "images" / "val", data / "coco" / "labels" / "val")
    assert result.images == 64
    assert result.map50_95 >= 0.329


def sigmoid(x: Floats) -> Floats:
    return (1 / (1 + np.exp(-x.astype(np.float64)))).astype(np.float32)


def decode(heads: Sequence[Floats], metadata: ModelMetadata) -> Floats:
    """Heads (1, h, w, na * (5 + nc)) to (n, 5 + nc): centre, size in pixels, probabilities."""
    rows = []
    for head, stride, anchors in zip(heads, metadata.strides, metadata.anchors, strict=True):
        _, height, width, _ = head.shape
        values = sigmoid(head.reshape(height, width, len(anchors), -1))
        y, x = np.mgrid[:height, :width]
        cells = np.stack([x, y], axis=-1)[:, :, None]
        centre = (values[..., :2] * 2 - 0.5 + cells) * stride
        size = (values[..., 2:4] * 2) ** 2 * np.asarray(anchors, np.float32)
        rows.append(np.concatenate([centre, size, values[..., 4:]], axis=-1))
    return np.concatenate([row.reshape(-1, row.shape[-1]) for row in rows])


def non_maximum_suppression(xyxy: Floats, scores: Floats) -> npt.NDArray[np.intp]:
    """Indices of the boxes that stay, best first."""
    order = np.argsort(-scores, kind="stable")
    areas = (xyxy[:, 2] - xyxy[:, 0]) * (xyxy[:, 3] - xyxy[:, 1])
    kept = []
    while order.size and len(kept) < MAX_DETECTIONS:
        best, order = order[0], order[1:]
        kept.append(best)
        low = np.maximum(xyxy[best, :2], xyxy[order, :2])
        high = np.minimum(xyxy[best, 2:], xyxy[order, 2:])
        shared = np.prod(np.clip(high - low, 0, None), axis=1)
        order = order[shared / (areas[best] + areas[order] - shared) <= NMS_IOU]
    return np.asarray(kept, np.intp)


def detector(
    heads: Callable[[Image], Sequence[Floats]], metadata: ModelMetadata
) -> Callable[[Image], Detections]:
    """A plain decoder and NMS in numpy, independent of the core."""
    height, width = metadata.input_size

    def detect(image: Image) -> Detections:
        rows = decode(heads(letterbox(image, metadata.input_size)), metadata)
        rows = rows[rows[:, 4] > CONFIDENCE]
        scores = rows[:, 4:5] * rows[:, 5:]
        row, class_id = np.nonzero(scores > CONFIDENCE)
        confidence = scores[row, class_id]
        half = rows[row, 2:4] / 2
        xyxy = np.concatenate([rows[row, :2] - half, rows[row, :2] + half], axis=1)
        apart = xyxy + class_id[:, None].astype(np.float32) * np.float32(CLASS_OFFSET)
        kept = non_maximum_suppression(apart, confidence)
        gain = min(width / image.shape[1], height / image.shape[0])
        left = round((width - round(image.shape[1] * gain)) / 2 - 0.1)
        top = round((height - round(image.shape[0] * gain)) / 2 - 0.1)
        boxes = np.clip(
            (xyxy[kept] - [left, top, left, top]) / gain,
            0,
            [image.shape[1], image.shape[0]] * 2,
        )
        return Detections(
            boxes.astype(np.float32), confidence[kept], class_id[kept].astype(np.int32)
        )

    return detect


def test_a_rectangle_of_yolov5n_agrees_between_targets(data: Path, largest_error) -> None:
    graph = load(data / "models" / "yolov5n.pt", input_size=(384, 640))
    assert graph.metadata.input_size == (384, 640)
    golden = np.load(data / "models" / "yolov5n-bus.golden.npz")["images_u8"]
    pixels = golden[None, 128:512].astype(np.float32) / np.float32(255)
    expected = run_onnx(emit_onnx(graph), np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
    assert largest_error(open_tflite(emit_tflite(graph))(pixels), expected) <= 2e-3
