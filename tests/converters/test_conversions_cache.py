"""The cache of converted models that tests use: converted once, and again when anything changes."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import conversions


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The conversions that were run; each writes an empty file of the target."""
    run: list[list[str]] = []

    def convert(command: list[str], **_options: Any) -> None:
        run.append(command)
        out = Path(command[command.index("-o") + 1])
        out.mkdir()
        (out / f"net.{command[command.index('--to') + 1]}").write_bytes(b"")

    monkeypatch.setattr(subprocess, "run", convert)
    monkeypatch.setenv("TALLYLENS_TEST_CACHE", str(tmp_path / "cache"))
    return run


def test_the_same_is_converted_once(tmp_path: Path, commands: list[list[str]]) -> None:
    source = tmp_path / "net.pt"
    source.write_bytes(b"weights")
    first, second = (conversions.converted(source, "tflite", "64") for _ in range(2))
    assert first == second
    assert first.name == "net.tflite"
    assert len(commands) == 1


def test_another_source_or_option_is_converted_again(
    tmp_path: Path, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "net.pt"
    source.write_bytes(b"weights")
    found = {conversions.converted(source, "onnx", "64")}
    found.add(conversions.converted(source, "onnx", "96"))
    found.add(conversions.converted(source, "onnx", "64", "--quantize", "fp16"))
    source.write_bytes(b"other weights")
    found.add(conversions.converted(source, "onnx", "64"))
    monkeypatch.setattr(conversions, "_code_and_libraries", lambda: b"changed code")
    found.add(conversions.converted(source, "onnx", "64"))
    assert len(found) == len(commands) == 5


def test_a_faster_process_wins(tmp_path: Path) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    for folder in (mine, theirs):
        folder.mkdir()
        (folder / "net.onnx").write_bytes(folder.name.encode())
    conversions._move(mine, theirs)
    assert (theirs / "net.onnx").read_bytes() == b"theirs"


def test_the_code_of_conversions_is_part_of_the_key() -> None:
    files = {path.relative_to(conversions.ROOT).as_posix() for path in conversions._code_files()}
    assert {"converters/emit/tflite_ops.py", "edge_runtime/core/src/preprocess.cpp"} <= files
