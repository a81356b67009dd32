"""Gates, attention and transposed convolutions in every target, against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tallylens.converters.coreml_program.evaluator import evaluate_program
from tallylens.converters.emit.coreml.emitter import emit_coreml
from tallylens.converters.emit.onnx import emit_onnx
from tallylens.converters.emit.tflite import emit_tflite
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.onnx_import.importer import load_onnx
from tallylens.converters.operators import set_input
from tallylens.converters.prune.channels import find_channels
from tallylens.converters.quantize.calibrate import observe_ranges
from tallylens.edge_runtime.files import write_all
from tests.support.tiny_graph import (
    build_gated_graph,
    largest_error,
    random_images,
    run_graph,
    run_tflite,
)

SIZE = (64, 96)


@pytest.fixture(scope="module")
def graph() -> DetectorGraph:
    return build_gated_graph(SIZE)


@pytest.mark.slow
def test_tflite_gives_the_same_heads(graph: DetectorGraph) -> None:
    (image,) = random_images(SIZE, 1)
    found = run_tflite(emit_tflite(graph), image)
    assert largest_error(found, run_graph(graph, image)) < 1e-4


@pytest.mark.slow
def test_int8_tflite_gives_nearly_the_same_heads(graph: DetectorGraph) -> None:
    images = random_images(SIZE, 8)
    calibration = observe_ranges(graph, images)
    found = run_tflite(emit_tflite(graph, quantization="int8", calibration=calibration), images[0])
    wanted = run_graph(graph, images[0])
    spread = min(float(head.std()) for head in wanted)
    assert np.mean([np.abs(a - b).mean() for a, b in zip(found, wanted, strict=True)]) < spread / 10


@pytest.mark.slow
@pytest.mark.parametrize("quantization", ["none", "int8"])
def test_core_ml_gives_nearly_the_same_heads(
    graph: DetectorGraph, tmp_path: Path, quantization: str
) -> None:
    images = random_images(SIZE, 8)
    calibration = observe_ranges(graph, images) if quantization == "int8" else None
    package = emit_coreml(graph, quantization=quantization, calibration=calibration)  # type: ignore[arg-type]
    write_all({tmp_path / "gated.mlpackage": package})
    found = evaluate_program(tmp_path / "gated.mlpackage")(images[0])
    wanted = run_graph(graph, images[0])
    moved = [head.transpose(0, 2, 3, 1) for head in found]
    assert largest_error(moved, wanted) < (0.01 if quantization == "none" else 0.3)


def test_its_onnx_file_is_read_again(graph: DetectorGraph, tmp_path: Path) -> None:
    (image,) = random_images(SIZE, 1)
    (tmp_path / "gated.onnx").write_bytes(emit_onnx(graph))
    again = load_onnx(tmp_path / "gated.onnx")
    assert largest_error(run_graph(again, image), run_graph(graph, image)) < 1e-6


def test_attention_is_rebuilt_for_another_size() -> None:
    (image,) = random_images((128, 64), 1)
    moved = build_gated_graph(SIZE)
    set_input(moved.model, (128, 64), 1)
    assert (
        largest_error(run_graph(moved, image), run_graph(build_gated_graph((128, 64)), image)) == 0
    )


def test_channels_at_attention_and_transposed_convolutions_are_kept(graph: DetectorGraph) -> None:
    free = {group.name for group in find_channels(graph.model).groups}
    assert free == {"best/Conv", "stem/Conv"}
