"""The table of emitters: file names, what is really written, and files known by their content."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx_ir as ir
import pytest

from tallylens.converters.emit import EMITTERS, CoreMLOptions, EmitOptions
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.model_under_test import DecodeSettings
from tallylens.converters.request import QUANTIZATIONS, TARGETS
from tallylens.edge_runtime.errors import UnsupportedModelError
from tallylens.edge_runtime.files import write_all
from tallylens.edge_runtime.types import Image

SETTINGS = DecodeSettings(confidence=0.25, iou=0.45, multi_label=False)


def test_targets_and_quantizations_follow_from_the_table() -> None:
    assert tuple(EMITTERS) == TARGETS == ("onnx", "tflite", "coreml")
    extensions = [emitter.extension for emitter in EMITTERS.values()]
    assert len(set(extensions)) == len(extensions)
    for emitter in EMITTERS.values():
        assert "none" in emitter.quantizations
        assert set(emitter.quantizations) <= set(QUANTIZATIONS)


def test_a_target_without_a_quantization_stays_float() -> None:
    assert EMITTERS["onnx"].written("int8") == "none"
    assert EMITTERS["tflite"].written("int8") == "int8"


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_what_is_written_is_recognized_whatever_its_name_and_opened(
    target: str, graph: DetectorGraph, image: Image, tmp_path: Path
) -> None:
    content = EMITTERS[target].emit(graph, EmitOptions("none", None, CoreMLOptions()))
    path = tmp_path / "artifact.rejected"
    write_all({path: content})
    assert [name for name, emitter in EMITTERS.items() if emitter.recognizes(path)] == [target]
    model = EMITTERS[target].open(path, [SETTINGS], 1)
    assert [logits.shape for logits in model.predict(image).logits] == [(16, 8, 12), (16, 4, 6)]


def test_other_paths_are_of_no_target(tmp_path: Path) -> None:
    other = tmp_path / "net.onnx"
    other.write_bytes(b"GGUF and more")
    for path in (other, tmp_path, tmp_path / "absent.tflite"):
        assert not any(emitter.recognizes(path) for emitter in EMITTERS.values())


def test_an_onnx_file_of_another_origin_is_refused(graph: DetectorGraph, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(ir.to_proto(graph.model).SerializeToString())
    with pytest.raises(UnsupportedModelError):
        EMITTERS["onnx"].open(path, [SETTINGS], 1)


def test_the_table_itself_loads_no_library() -> None:
    heavy = ("onnx", "onnx_ir", "onnxruntime", "tensorflow", "coremltools", "cv2")
    program = (
        "import sys; import tallylens.converters.request; "
        f"print(*(name for name in {heavy} if name in sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "\n", "")
