"""Real checkpoints through the emitters, against what PyTorch computed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tallylens.converters.convert import convert
from tallylens.converters.emit.onnx import emit_onnx
from tallylens.converters.emit.tflite import emit_tflite
from tallylens.converters.evaluation.evaluate import evaluate
from tallylens.converters.load import load
from tallylens.edge_runtime.core import DecoderOptions
from tallylens.edge_runtime.detection.detector import Detector
from tallylens.edge_runtime.engines import open_engine
from tests.support.tiny_graph import largest_error

pytestmark = [pytest.mark.slow, pytest.mark.realdata]

Floats = npt.NDArray[np.float32]
CHECKPOINTS = [
    "leaky-tiny-2class",
    "p6-tiny-4class",
    "v5-focus-spp-tiny",
    "v7-tiny-3class",
]


def run_onnx(content: bytes, images: Floats) -> list[Floats]:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return [h.transpose(0, 2, 3, 1) for h in session.run(None, {"images": images})]


def open_tflite(content: bytes) -> Callable[[npt.NDArray[np.generic]], list[Floats]]:
    """A function from the input tensor to the dequantized heads."""
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
def test_heads_of_every_architecture(data: Path, name: str) -> None:
    golden = dict(np.load(data / "checkpoints" / f"{name}.golden.npz"))
    images = golden["images"]
    graph = load(data / "checkpoints" / f"{name}.pt", input_size=images.shape[2:])
    expected = golden_heads(golden, len(graph.metadata.head_names))
    assert largest_error(run_onnx(emit_onnx(graph), images), expected) <= 2e-4
    pixels = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    assert largest_error(open_tflite(emit_tflite(graph))(pixels), expected) <= 2e-3


def test_yolov5n_heads(data: Path) -> None:
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
    decoding = DecoderOptions(confidence=0.001, iou=0.6, cross_class_iou=1, multi_label=True)
    with open_engine(report.path_of("tflite"), num_threads=2) as engine:
        detect = Detector(engine, decoding).detect
        coco = data / "coco"
        result = evaluate(detect, coco / "images" / "val", coco / "labels" / "val")
    assert result.images == 64
    assert result.map50_95 >= 0.329
