"""Heads without anchors in every format: raw, in boxes for Vision, in boxes for servers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from tallylens.converters.coreml_program.evaluator import evaluate_program
from tallylens.converters.emit.coreml.emitter import emit_coreml
from tallylens.converters.emit.onnx import emit_onnx
from tallylens.converters.emit.onnx_server import emit_onnx_server
from tallylens.converters.emit.tflite import emit_tflite
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.passes.keep_classes import KeepClasses
from tallylens.converters.shapes import size_of
from tallylens.edge_runtime.engines import open_engine
from tallylens.edge_runtime.types import FloatArray, Image
from tests.support.distribution_graph import BINS, CLASSES, boxes_of, build_distribution_graph


@pytest.fixture(scope="module")
def graph() -> DetectorGraph:
    return build_distribution_graph()


@pytest.fixture(scope="module")
def picture(graph: DetectorGraph) -> Image:
    """(3, h, w) uint8 RGB."""
    size = graph.metadata.input_size
    return np.random.default_rng(2).integers(0, 256, (3, *size)).astype(np.uint8)


def run(graph: DetectorGraph, picture: Image) -> list[FloatArray]:
    images = picture[None].astype(np.float32) / 255
    heads: list[FloatArray] = ort.InferenceSession(emit_onnx(graph)).run(None, {"images": images})
    return heads


def save_package(graph: DetectorGraph, folder: Path, *, nms: bool = False) -> Path:
    for name, content in emit_coreml(graph, nms=nms).items():
        path = folder / "model.mlpackage" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / "model.mlpackage"


@pytest.mark.slow
def test_tflite_has_the_same_heads(graph: DetectorGraph, picture: Image, tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(emit_tflite(graph))
    with open_engine(tmp_path / "model.tflite") as engine:
        assert [head.reg_max for head in engine.heads] == [BINS, BINS]
        engine.input[...] = picture.transpose(1, 2, 0)[None].astype(np.float32) / 255
        for found, wanted in zip(engine.run(), run(graph, picture), strict=True):
            np.testing.assert_allclose(
                np.asarray(found, np.float32).transpose(0, 3, 1, 2), wanted, atol=2e-4
            )


@pytest.mark.slow
def test_coreml_has_the_same_heads(graph: DetectorGraph, picture: Image, tmp_path: Path) -> None:
    found = evaluate_program(save_package(graph, tmp_path))(picture.transpose(1, 2, 0))
    for head, wanted in zip(found, run(graph, picture), strict=True):
        np.testing.assert_allclose(head, wanted, atol=2e-4)


@pytest.mark.slow
def test_boxes_for_vision(graph: DetectorGraph, picture: Image, tmp_path: Path) -> None:
    package = save_package(graph, tmp_path, nms=True)
    confidence, coordinates = evaluate_program(package)(picture.transpose(1, 2, 0))
    wanted = boxes_of(run(graph, picture))
    np.testing.assert_allclose(confidence[:, :CLASSES], wanted[:, 4:], atol=1e-4)
    assert confidence.shape == (len(wanted), 80)
    assert not confidence[:, CLASSES:].any()
    centers, sides = np.split(coordinates * np.tile([96, 64], 2), 2, axis=1)
    corners = np.concatenate([centers - sides / 2, centers + sides / 2], axis=1)
    np.testing.assert_allclose(corners, wanted[:, :4], atol=1e-2)


@pytest.mark.parametrize("top_k", [20, 1024])
def test_boxes_for_servers(graph: DetectorGraph, picture: Image, top_k: int) -> None:
    model = emit_onnx_server(graph, top_k=top_k)
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
    frames = np.stack([picture.transpose(1, 2, 0), np.zeros((64, 96, 3), np.uint8)])
    (found,) = ort.InferenceSession(model).run(None, {"frames": frames})
    assert found.shape == (2, min(top_k, 8 * 12 + 4 * 6), 6)
    for detections, image in zip(found, frames, strict=True):
        wanted = boxes_of(run(graph, image.transpose(2, 0, 1)))
        order = np.argsort(-wanted[:, 4:].max(axis=1), kind="stable")[: found.shape[1]]
        scores = wanted[order, 4:]
        np.testing.assert_allclose(detections[:, 4], scores.max(axis=1), atol=1e-5)
        if image.any():  # else many cells are equal, and their order is nobody's
            np.testing.assert_allclose(detections[:, :4], wanted[order, :4], atol=1e-2)
            np.testing.assert_array_equal(detections[:, 5], scores.argmax(axis=1))


def test_classes_that_are_kept_are_the_same_to_the_bit(
    graph: DetectorGraph, picture: Image
) -> None:
    smaller = KeepClasses(["person", "car"])(graph)
    assert smaller.metadata.class_names == ("car", "person")
    rows = [*range(4 * BINS + 1), 4 * BINS + 2]
    for found, whole in zip(run(smaller, picture), run(graph, picture), strict=True):
        np.testing.assert_array_equal(found, whole[:, rows])
    assert [size_of(value)[0] for value in smaller.model.graph.outputs] == [4 * BINS + 2] * 2
