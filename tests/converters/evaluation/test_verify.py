"""Verification of models whose differences are known beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from tallylens.converters.builder import GraphBuilder
from tallylens.converters.coreml_program.suppression import suppress
from tallylens.converters.emit.coreml.emitter import emit_coreml
from tallylens.converters.emit.onnx import emit_onnx
from tallylens.converters.evaluation.agreement import Agreement, agree
from tallylens.converters.evaluation.verify import verify
from tallylens.converters.graph import DetectorGraph
from tallylens.edge_runtime.errors import InputError, TallyLensError
from tallylens.edge_runtime.metadata import ModelMetadata
from tallylens.edge_runtime.types import Detections

SIDE = 64
CELL = 16


def squares(
    shift: float = 0.0, classes: tuple[str, ...] = ("car", "bus"), side: int = SIDE
) -> DetectorGraph:
    """Finds a 16x16 red square in a cell; `shift` is added to every logit of its first class."""
    builder = GraphBuilder((side, side), batch=1)
    weight = np.zeros((5 + len(classes), 3, CELL, CELL), np.float32)
    weight[4, 0], weight[4, 1] = 16 / CELL**2, -16 / CELL**2
    bias = np.zeros(5 + len(classes), np.float32)
    bias[4], bias[5], bias[6:] = -8, 4 + shift, -4
    head = builder.conv("head", builder.input, weight, bias, strides=(CELL, CELL))
    metadata = ModelMetadata(
        classes, (side, side), (CELL,), (((16.0, 16.0),),), ("head16",), source_name="squares"
    )
    return builder.finish([head], metadata)


def write(path: Path, files: Mapping[str, bytes] | bytes) -> Path:
    for name, content in ({"": files} if isinstance(files, bytes) else files).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return write(tmp_path / "reference.onnx", emit_onnx(squares()))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A red square in one cell of each of two images, and a label for it."""
    for number, (x, y) in enumerate([(16, 0), (32, 48)]):
        picture = np.zeros((SIDE, SIDE, 3), np.uint8)
        picture[y : y + CELL, x : x + CELL, 2] = 255
        write(tmp_path / "images" / f"{number}.png", cv2.imencode(".png", picture)[1].tobytes())
        label = f"0 {(x + 8) / SIDE} {(y + 8) / SIDE} 0.25 0.25\n"
        write(tmp_path / "labels" / f"{number}.txt", label.encode())
    return tmp_path / "images"


def test_a_model_agrees_with_itself(reference: Path, images: Path) -> None:
    result = verify(reference, reference, images, labels=images.parent / "labels")
    assert result.images == 2
    assert [(head.name, head.max_abs, head.mean_abs) for head in result.heads] == [("head16", 0, 0)]
    assert (result.detections.matched, result.detections.agreement) == (2, 1)
    document = result.as_dict()
    assert document["model_precision"] == {"map50_95": 1.0, "map50": 1.0}
    assert document["kept_map50_95"] == 1
    assert document["warnings"] == []
    assert document["detections"]["agreement"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("quantization", ["none", "fp16"])
def test_core_ml_against_its_source(
    reference: Path, images: Path, tmp_path: Path, quantization: str
) -> None:
    package = write(
        tmp_path / "net.mlpackage",
        emit_coreml(squares(), quantization=quantization),  # type: ignore[arg-type]
    )
    result = verify(package, reference, images)
    assert (result.engine, result.reference_engine) == ("coreml-evaluator", "onnxruntime-cpu")
    assert 0 <= result.heads[0].max_abs < 0.02
    assert (result.detections.reference, result.detections.matched) == (2, 2)
    assert result.model_precision is None


@pytest.mark.slow
def test_core_ml_with_nms_is_compared_by_its_boxes(
    reference: Path, images: Path, tmp_path: Path
) -> None:
    package = write(tmp_path / "net.mlpackage", emit_coreml(squares(), nms=True))
    result = verify(package, reference, images, labels=images.parent / "labels")
    assert result.heads == ()
    assert result.detections.agreement == 1
    assert result.model_precision == result.reference_precision


def test_logits_that_differ_are_measured(reference: Path, images: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other.onnx", emit_onnx(squares(shift=-8.0)))
    result = verify(other, reference, images, labels=images.parent / "labels")
    (head,) = result.heads
    assert head.max_abs == pytest.approx(8)
    assert head.mean_abs == pytest.approx(8 / 7)
    found = result.detections
    assert (found.model, found.reference, found.matched, found.agreement) == (0, 2, 0, 0)
    assert (found.of_model, found.of_reference) == (1, 0)


def test_nothing_detected_is_no_proof(images: Path, tmp_path: Path) -> None:
    blind = write(tmp_path / "blind.onnx", emit_onnx(squares(shift=-8.0)))
    assert verify(blind, blind, images).warnings == (
        "nothing was detected on these images, so that agreement says nothing",
    )


def test_another_input_size_is_compared_by_boxes_only(
    reference: Path, images: Path, tmp_path: Path
) -> None:
    wide = write(tmp_path / "wide.onnx", emit_onnx(squares(side=128)))
    assert verify(wide, reference, images).heads == ()


def test_other_classes_are_refused(reference: Path, images: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other.onnx", emit_onnx(squares(classes=("car", "dog"))))
    with pytest.raises(InputError) as refusal:
        verify(other, reference, images)
    assert str(refusal.value) == (
        f"{other}: has other classes than the reference ('dog' against 'bus'). "
        "Give the checkpoint that the model was converted from."
    )


@pytest.mark.parametrize("kind", ["missing", "empty folder", "text"])
def test_what_is_no_model(reference: Path, images: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "thing"
    if kind == "empty folder":
        path.mkdir()
    elif kind == "text":
        path.write_bytes(b"hello")
    with pytest.raises(TallyLensError):
        verify(path, reference, images)


def detections(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, :4].copy(), table[:, 4].copy(), table[:, 5].astype(np.int32))


BOX = (0, 0, 100, 100)


@pytest.mark.parametrize(
    ("model", "reference", "matched"),
    [
        ([], [], 0),
        ([(*BOX, 0.9, 1)], [], 0),
        ([(*BOX, 0.9, 1)], [(*BOX, 0.5, 1)], 1),
        ([(*BOX, 0.9, 1)], [(*BOX, 0.9, 2)], 0),
        ([(0, 0, 91, 100, 0.9, 1)], [(*BOX, 0.9, 1)], 1),
        ([(0, 0, 89, 100, 0.9, 1)], [(*BOX, 0.9, 1)], 0),
        ([(*BOX, 0.9, 1), (*BOX, 0.8, 1)], [(*BOX, 0.9, 1)], 1),
        ([(*BOX, 0.9, 1), (0, 0, 95, 100, 0.8, 1)], [(0, 0, 95, 100, 0.9, 1), (*BOX, 0.8, 1)], 2),
    ],
)
def test_agreement(
    model: list[tuple[float, float, float, float, float, int]],
    reference: list[tuple[float, float, float, float, float, int]],
    matched: int,
) -> None:
    found = agree(detections(*model), detections(*reference))
    assert (found.model, found.reference, found.matched) == (len(model), len(reference), matched)


def test_agreement_in_words_names_what_only_the_model_has() -> None:
    assert Agreement(110, 110, 107).pairs == "107 of 110 and 3 others"
    assert Agreement(107, 110, 107).pairs == "107 of 110"


def test_suppression_is_per_class_and_best_first() -> None:
    xyxy = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60]], np.float32)
    confidence = np.array([[0.6, 0.3], [0.9, 0.1], [0.25, 0.5]], np.float32)
    found = suppress(confidence, xyxy, 0.25, 0.45)
    assert found.confidence.tolist() == np.array([0.9, 0.5, 0.3], np.float32).tolist()
    assert found.class_id.tolist() == [0, 1, 1]
    assert found.xyxy.tolist() == xyxy[[1, 2, 0]].tolist()
    assert len(suppress(confidence, xyxy, 0.95, 0.45)) == 0
