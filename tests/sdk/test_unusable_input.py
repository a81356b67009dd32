"""Inputs that cannot be used, and the exit statuses that say so."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from tallylens import MissingExtraError, store
from tallylens.cli import main
from tallylens.commands import COMMANDS
from tests.support.command_line import Run, assert_one_error


def test_sources_that_cannot_be_used_are_3(count: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mp4").write_text("hello")
    (tmp_path / "none.mp4").write_bytes(b"")
    (tmp_path / "cut.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(64))
    for name, text in (
        ("missing.mp4", "no such file or folder"),
        ("empty", "no images found"),
        ("text.mp4", "a text file, not a video"),
        ("none.mp4", "the file is empty"),
        ("cut.mp4", "not a video, or an unsupported format"),
        ("*.jpg", "no images found"),
        ("x" * 5000, "File name too long"),
    ):
        assert_one_error(count(source=tmp_path / name), 3, text)
    assert_one_error(count(source="ftp://host/x"), 3, "unsupported URL scheme")


@pytest.mark.parametrize("suffix", [".pt", ".onnx", ".tflite"])
def test_models_that_cannot_be_used_are_3(
    tallylens: Run, crossing: Path, tmp_path: Path, suffix: str
) -> None:
    model = tmp_path / f"model{suffix}"
    for content, text in ((b"hello", "not a model file"), (b"", "the file is empty")):
        model.write_bytes(content)
        for command in (["count", crossing, "--model", model], ["inspect", model]):
            assert_one_error(tallylens(*command), 3, text)
    assert_one_error(
        tallylens("inspect", tmp_path / "no.pt"), 3, "no such file, and no model of that name"
    )


def test_a_damaged_tflite_is_3(tallylens: Run, crossing: Path, tmp_path: Path) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes(b"\x1c\0\0\0TFL3" + bytes(200))
    assert_one_error(tallylens("count", crossing, "--model", model), 3, "m.tflite: ")


def test_a_model_that_is_not_here_yet_says_how_to_get_it(tallylens: Run, crossing: Path) -> None:
    text = "Download it with: tallylens models pull yolov5n, or save yolov5n.pt as"
    assert_one_error(tallylens("count", crossing), 4, text)


@pytest.mark.parametrize("arguments", [["convert", "no.pt"], ["inspect", "no.pt"]])
def test_debug_shows_where_it_went_wrong(arguments: list[str]) -> None:
    from tallylens import InputError

    with pytest.raises(InputError):
        main([*arguments, "--debug"])


@pytest.mark.slow
def test_every_command_takes_debug(tallylens: Run) -> None:
    for command in (["models", "list"], ["doctor"]):
        assert tallylens(*command, "--debug").status == 0
    assert tallylens("models", "--debug", "path", "yolov5n").status == 0


def test_a_camera_that_is_not_there_is_4(count: Run) -> None:
    assert_one_error(count(source="987"), 4, "camera 987 cannot be opened")


def test_no_network_is_4(tallylens: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    nowhere = store.Release("tiny", "http://127.0.0.1:1/tiny.pt", "0" * 64, 1, "MIT")
    monkeypatch.setitem(store.RELEASES, "tiny", nowhere)
    assert_one_error(tallylens("models", "pull", "tiny"), 4, "save it as")


def test_a_missing_package_is_4(
    tallylens: Run, crossing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.pt").write_bytes(b"PK\x03\x04")
    monkeypatch.setattr("tallylens.extras.importlib.util.find_spec", lambda name: None)
    for command in (
        ["count", crossing, "--model", tmp_path / "m.pt"],
        ["convert", tmp_path / "m.pt"],
        ["inspect", tmp_path / "m.pt"],
        ["eval", "m.tflite", "--images", ".", "--labels", "."],
    ):
        assert_one_error(tallylens(*command), 4, "pip install 'tallylens[convert]'")


def test_what_nobody_foresaw_is_told_in_one_line(
    tallylens: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("tallylens.store.resolve", fail)
    outcome = tallylens("inspect", "m.pt")
    assert_one_error(outcome, 1, "unexpected ZeroDivisionError: of all things. Please report it")


@pytest.mark.parametrize("package", [None, "onnx"])
def test_ctrl_c_that_a_compiled_module_hides_is_130(
    tallylens: Run, monkeypatch: pytest.MonkeyPatch, package: str | None
) -> None:
    def run(options: argparse.Namespace) -> int:
        try:
            try:
                raise KeyboardInterrupt
            except KeyboardInterrupt as interrupt:
                raise ImportError("initialization failed") from interrupt
        except ImportError as error:
            if package is None:
                raise
            raise MissingExtraError(package, "convert", "converting") from error

    command = next(one for one in COMMANDS if one.NAME == "models")
    monkeypatch.setattr(command, "run", run)
    assert_one_error(tallylens("models", "list"), 130, "tallylens: interrupted")


def test_a_module_that_cannot_be_loaded_is_1(
    tallylens: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(options: argparse.Namespace) -> int:
        raise ImportError("initialization failed")

    command = next(one for one in COMMANDS if one.NAME == "models")
    monkeypatch.setattr(command, "run", run)
    assert_one_error(tallylens("models", "list"), 1, "unexpected ImportError: initialization")


def test_an_error_stays_one_line_whatever_the_name(tallylens: Run) -> None:
    outcome = tallylens("inspect", "a\nb\x1b[31m.pt")
    assert_one_error(outcome, 3, r"a\nb\x1b[31m.pt: no such file")
