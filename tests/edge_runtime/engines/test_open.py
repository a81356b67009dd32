from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tallylens.edge_runtime.engines import available_engines, open_engine
from tallylens.edge_runtime.engines import open as module
from tallylens.edge_runtime.errors import ModelError, UnsupportedModelError, UsageError


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty"),
        (b"PK\x03\x04 a checkpoint", "a PyTorch checkpoint"),
        (b"\x18\x00\x00\x00TFL3", "the TFLite model is damaged"),
        (b"hello", "not an ONNX model, or damaged"),
    ],
)
def test_what_is_no_model(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=problem) as caught:
        open_engine(path)
    assert caught.value.exit_status == 3
    assert caught.value.path == str(path)


def test_a_checkpoint_is_to_be_converted(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(UnsupportedModelError, match="Convert it first with tallylens convert"):
        open_engine(path)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        open_engine(tmp_path / "none.tflite")
    with pytest.raises(ModelError, match=r"directory|denied"):
        open_engine(tmp_path)


def test_a_file_beyond_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_MODEL_BYTES", 1 << 20)
    path = tmp_path / "model.tflite"
    path.write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(ModelError, match="larger than 1 MiB"):
        open_engine(path)


def test_a_number_of_threads_that_makes_no_sense(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="num_threads is 0"):
        open_engine(tmp_path / "x", num_threads=0)


def test_the_engines_that_doctor_tells_of() -> None:
    engines = {engine.package: engine for engine in available_engines()}
    assert set(engines) == {"ai-edge-litert", "tflite-runtime", "tensorflow", "onnxruntime"}
    runtime = engines["onnxruntime"]
    assert (runtime.version is None) == (runtime.providers == ())
    if runtime.version:
        assert "CPUExecutionProvider" in runtime.providers


def test_heavy_packages_are_imported_late() -> None:
    program = (
        "import sys, tallylens.edge_runtime.engines\n"
        "heavy = {'ai_edge_litert', 'onnxruntime', 'onnx', 'tensorflow', 'cv2', 'flatbuffers'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n"
