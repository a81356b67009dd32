"""The command line as its users and their scripts meet it: help, usage and the small commands."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import onnx
import pytest

from tallylens.commands import COMMANDS
from tests.support import squares
from tests.support.command_line import Run, assert_one_error


@pytest.mark.parametrize("command", [command.NAME for command in COMMANDS])
def test_every_command_has_help_with_examples(tallylens: Run, command: str) -> None:
    outcome = tallylens(command, "--help")
    assert outcome.status == 0
    assert outcome.out.startswith(f"usage: tallylens {command}")
    assert f"  tallylens {command} " in outcome.out or command == "doctor"
    assert "examples:" in outcome.out
    assert outcome.err == ""


def test_help_of_count_has_five_groups(tallylens: Run) -> None:
    titles = re.findall(r"^(\w[\w ]*):$", tallylens("count", "--help").out, re.MULTILINE)
    groups = ["model", "what to count", "output", "live sources and speed", "cloud"]
    assert titles == ["positional arguments", "options", *groups, "examples"]


@pytest.mark.parametrize("name", [command.NAME for command in COMMANDS])
def test_every_option_is_explained(name: str) -> None:
    (command,) = (command for command in COMMANDS if name == command.NAME)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    unexplained = [action.dest for action in parser._actions if not action.help]
    assert unexplained == (["action"] if name == "models" else [])


def test_help_lists_the_commands_of_the_contract(tallylens: Run) -> None:
    outcome = tallylens("--help")
    listed = re.findall(r"^    (\w+)", outcome.out, re.MULTILINE)
    assert listed == [command.NAME for command in COMMANDS]
    contract = {"count", "convert", "inspect", "eval", "benchmark", "models", "doctor"}
    assert contract <= set(listed)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "the following arguments are required: COMMAND. See tallylens --help."),
        (["cuont"], "invalid choice: 'cuont'"),
        (["count"], "the following arguments are required: source. See tallylens count --help."),
        (["count", "x.mp4", "--color"], "unrecognized arguments: --color"),
        (["count", "x.mp4", "--workers", "0"], "'0' is not a whole number above 0"),
        (["count", "x.mp4", "--workers", "two"], "'two' is not a whole number above 0"),
        (
            ["count", "x.mp4", "--imgsz", "640,384"],
            "'640,384' is not a size. Use N or HxW, such as 640 or 384x640",
        ),
        (["count", "x.mp4", "--classes", ","], "give at least one name"),
        (["count", "x.mp4", "--anchor", "left"], "invalid choice: 'left'"),
        (["count", "x.mp4", "--confidence", "1.5"], "'1.5' is not a fraction from 0 to 1"),
        (["models"], "the following arguments are required: list|pull|path"),
        (["models", "pull"], "the following arguments are required: name"),
        (["eval", "m.pt"], "the following arguments are required: --images, --labels"),
    ],
)
def test_wrong_usage_is_2(tallylens: Run, arguments: list[str], text: str) -> None:
    assert_one_error(tallylens(*arguments), 2, text)


def test_inspect(tallylens: Run, tiny_model: Path) -> None:
    text = tallylens("inspect", tiny_model)
    assert text.status == 0
    assert "classes       2: car, person" in text.out
    document = json.loads(tallylens("inspect", tiny_model, "--json").out)
    assert document["class_names"] == ["car", "person"]
    assert document["input_size"] == [128, 128]
    assert document["size_bytes"] == tiny_model.stat().st_size
    assert document["kind"] == "runs on onnxruntime-cpu"


def test_inspect_shows_no_terminal_commands(tallylens: Run, tmp_path: Path) -> None:
    onnx.save(squares.tiny_model_proto(["\x1b[2J", "a\nb"]), tmp_path / "m.onnx")
    outcome = tallylens("inspect", tmp_path / "m.onnx")
    assert r"2: \x1b[2J, a\nb" in outcome.out


@pytest.mark.parametrize("frames", [1, 2, 30])
def test_benchmark(tallylens: Run, tiny_model: Path, tmp_path: Path, frames: int) -> None:
    video = squares.write_video(tmp_path / "v.mp4", squares.scene(frames=30)[:frames])
    command = ["benchmark", "--model", tiny_model, "--source", video]
    outcome = tallylens(*command, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    document = json.loads(outcome.out)
    assert list(document) == ["source", "model", "engine", "frames", "machine", "ms", "fps"]
    stages = ["letterbox", "inference", "decode_nms", "track_count", "host", "video_decode"]
    assert list(document["ms"]) == stages
    assert document["frames"] == frames
    assert all(value > 0 for value in (*document["ms"].values(), *document["fps"].values()))
    words = [line.split()[0] for line in tallylens(*command).out.splitlines()]
    assert words == [*stages, "one", "all"]


def test_benchmark_that_is_interrupted_stops(
    tallylens: Run, tiny_model: Path, crossing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tallylens.counter import Counter

    def interrupted(self: Counter, source: object) -> object:
        return SimpleNamespace(interrupted=True)

    monkeypatch.setattr(Counter, "run", interrupted)
    outcome = tallylens("benchmark", "--model", tiny_model, "--source", crossing, "--json")
    assert (outcome.status, outcome.out) == (130, "")
    assert outcome.err == "tallylens: interrupted\n"


def test_models(tallylens: Run, own_home: Path) -> None:
    assert "tallylens models pull yolov5n" in tallylens("models", "list").out
    assert re.search(r"^demo .* built in$", tallylens("models", "list").out, re.MULTILINE)
    demo, listed = json.loads(tallylens("models", "list", "--json").out)["models"]
    assert (demo["name"], demo["here"], demo["built_in"]) == ("demo", True, True)
    assert (listed["name"], listed["here"], listed["licence"]) == ("yolov5n", False, "AGPL-3.0")
    assert list(listed) == ["name", "here", "path", "size_bytes", "licence", "built_in"]
    path = own_home / "models" / "yolov5n.pt"
    assert tallylens("models", "path", "yolov5n").out == f"{path}\n"
    assert json.loads(tallylens("models", "path", "yolov5n", "--json").out)["here"] is False
    assert_one_error(tallylens("models", "path", "yolov9"), 3, "Choose from: yolov5n, demo")


@pytest.mark.slow
def test_doctor(tallylens: Run, own_home: Path) -> None:
    outcome = tallylens("doctor")
    assert (outcome.status, outcome.err) == (0, "")
    assert str(own_home) in outcome.out
    document = json.loads(tallylens("doctor", "--json").out)
    assert {"numpy", "opencv-python"} <= set(document["packages"])
    assert document["cache"] == {"path": str(own_home), "writable": True}
    assert document["video"]["decoder"] in outcome.out


def test_doctor_names_a_decoder_that_gives_blank_frames(
    tallylens: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = "tallylens.edge_runtime.sources.decoder_check.decodes_interlaced"
    monkeypatch.setattr(check, lambda: False)
    outcome = tallylens("doctor", "--no-speed")
    assert "; interlaced video is not decoded\n" in outcome.out
    assert (
        "fix       pip install 'tallylens[video]' or 'opencv-python<4.12' (interlaced video is "
        "blank)\n"
    ) in outcome.out


def test_eval_without_images_is_3(tallylens: Run, tiny_model: Path, tmp_path: Path) -> None:
    for folder, text in ((tmp_path, "no images"), (tmp_path / "none", "is not a folder")):
        outcome = tallylens("eval", tiny_model, "--images", folder, "--labels", tmp_path)
        assert_one_error(outcome, 3, text)


def test_eval_of_a_model_that_finds_everything(
    tallylens: Run, tiny_model: Path, tmp_path: Path
) -> None:
    for i, picture in enumerate(squares.scene(frames=4)):
        cv2.imwrite(str(tmp_path / f"{i}.png"), picture)
        rows = []
        for class_id, channel in ((0, 2), (1, 0)):
            y, x = (
                float(np.mean(place) + 0.5) / 128 for place in np.nonzero(picture[:, :, channel])
            )
            rows.append(f"{class_id} {x} {y} {16 / 128} {16 / 128}")
        (tmp_path / f"{i}.txt").write_text("\n".join(rows))
    command = ["eval", tiny_model, "--images", tmp_path, "--labels", tmp_path]
    outcome = tallylens(*command, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    document = json.loads(outcome.out)
    assert document["map50_95"] == pytest.approx(1.0)
    assert (document["images"], document["objects"]) == (4, 8)
    assert set(document["per_class"]) == {"car", "person"}
    assert "mAP@0.5:0.95  1.0000" in tallylens(*command).out
