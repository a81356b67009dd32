"""The command line as its users and their scripts meet it: output, errors and exit statuses."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import onnx
import pytest

from tallylens import MissingExtraError, store
from tallylens.cli import main
from tallylens.commands import COMMANDS
from tests.support import squares

Run = Callable[..., Any]
LINE = "0,0.5,1,0.5"
KEYS = ["source", "model", "engine", "frames", "seconds", "unique", "lines", "zones"]
KEYS += ["occupancy", "warnings", "speed", "interrupted"]
KEYS += ["started", "dropped", "skipped", "uncounted", "periods"]


def assert_one_error(outcome: Any, status: int, text: str) -> None:
    """One line on stderr with `text` in it, nothing on stdout, and the exit status."""
    assert text in outcome.err
    assert outcome.status == status
    assert outcome.out == ""
    assert outcome.err.startswith("tallylens")
    assert outcome.err.count("\n") == 1
    assert "Traceback" not in outcome.err


# ---- help and usage ----------------------------------------------------------------------------


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


# ---- count -------------------------------------------------------------------------------------


@pytest.fixture
def count(tallylens: Run, tiny_model: Path, crossing: Path) -> Run:
    """`tallylens count` of the crossing with the tiny model, and more arguments."""

    def run(*more: object, source: object = crossing, model: object = tiny_model) -> Any:
        return tallylens("count", source, "--model", model, *more)

    return run


def test_json_is_one_document_and_nothing_else(count: Run) -> None:
    outcome = count("--line", LINE, "--zone", "0,0.5,1,0.5,1,1,0,1,floor", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    document = json.loads(outcome.out)
    assert list(document) == KEYS
    assert document["frames"] == 30
    assert document["unique"] == {"car": 1, "person": 1}
    ways = {"in": "in", "out": "out"}
    assert document["lines"] == [
        {"name": "line 1", "in": {"car": 1}, "out": {"person": 1}, "directions": ways}
    ]
    (zone,) = document["zones"]
    assert list(zone) == ["name", "now", "entered", "dwell_s"]
    assert (zone["name"], zone["now"]) == ("floor", {"car": 1})
    assert list(zone["dwell_s"]) == ["mean", "max"]
    assert document["occupancy"][0] == [0.0, {"car": 1, "person": 1}]
    assert list(document["speed"]) == ["fps", "inference_ms", "host_ms"]


def test_the_same_input_gives_the_same_document(count: Run) -> None:
    def document(*more: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(count("--line", LINE, "--json", *more).out)
        del found["speed"]
        return found

    assert document() == document() == document("--workers", "1")


def test_the_table_is_on_stdout(count: Run) -> None:
    outcome = count("--line", LINE + ",gate")
    assert (outcome.status, outcome.err) == (0, "")
    rows = [[c.strip() for c in line.split("│")[1:-1]] for line in outcome.out.splitlines()]
    assert ["car", "1", "0", "1"] in rows
    assert ["person", "0", "1", "1"] in rows
    assert "crossing.mp4: 30 frames, 2.9 s" in outcome.out


def test_several_lines_and_any_class(count: Run) -> None:
    lines = [arg for text in (f"{LINE},a", "1,0.5,0,0.5,b") for arg in ("--line", text)]
    document = json.loads(count(*lines, "--any-class", "--json").out)
    assert document["unique"] == {"object": 2}
    assert [(line["name"], line["in"], line["out"]) for line in document["lines"]] == [
        ("a", {"object": 1}, {"object": 1}),
        ("b", {"object": 1}, {"object": 1}),
    ]


def test_the_anchor_decides_when_a_line_is_reached(count: Run) -> None:
    # The squares' lower edges come no higher than 24 of 128, their upper edges to 8.
    line = "0,0.1406,1,0.1406"
    for anchor, crossed in (
        ("bottom-center", {}),
        ("top-center", {"person": 1}),
        ("bottom-centre", {}),
        ("top-centre", {"person": 1}),
    ):
        document = json.loads(count("--line", line, "--anchor", anchor, "--json").out)
        assert document["lines"][0]["out"] == crossed, anchor


def test_only_objects_of_the_confidence_asked_for(count: Run) -> None:
    for confidence, unique in (("0.2", {"car": 1, "person": 1}), ("1", {})):
        document = json.loads(count("--line", LINE, "--confidence", confidence, "--json").out)
        assert document["unique"] == unique, confidence


def test_reports_and_video_are_written(count: Run, tmp_path: Path) -> None:
    report, table, video = (tmp_path / name for name in ("r.json", "r.csv", "out.mp4"))
    outcome = count("--line", LINE, "--report", report, "--report", table, "--annotate", video)
    assert outcome.status == 0
    assert json.loads(report.read_text())["unique"] == {"car": 1, "person": 1}
    assert table.read_text().splitlines()[1:] == [
        "unique,,,car,1",
        "unique,,,person,1",
        "line,line 1,in,car,1",
        "line,line 1,out,person,1",
    ]
    assert cv2.VideoCapture(str(video)).get(cv2.CAP_PROP_FRAME_COUNT) == 30
    assert sorted(tmp_path.iterdir()) == sorted([report, table, video])


def test_counts_by_interval_are_a_csv_report(count: Run, tmp_path: Path) -> None:
    table = tmp_path / "r.csv"
    outcome = count("--line", LINE, "--report", table, "--interval", "1s", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    rows = [row.split(",") for row in table.read_text().splitlines()]
    assert rows[0] == ["start", "end", "where", "name", "direction", "class", "count"]
    assert sum(int(row[6]) for row in rows[1:] if row[2:6] == ["unique", "", "", "car"]) == 1
    assert_one_error(count("--interval", "15m"), 2, "--interval is for CSV reports")
    assert_one_error(count("--interval", "15"), 2, "'15' is not an interval")


def test_events_are_rows_of_a_database(count: Run, tmp_path: Path) -> None:
    base = ("--line", LINE, "--json", "--state", tmp_path / "count.state")
    outcome = count(*base, "--sink", f"sqlite:///{tmp_path / 'counts.db'}")
    assert (outcome.status, outcome.err) == (0, "")
    with closing(sqlite3.connect(tmp_path / "counts.db")) as database:
        found = database.execute(
            "SELECT direction, class, count(*) FROM events WHERE event LIKE 'crossed%' "
            "GROUP BY direction, class ORDER BY class"
        ).fetchall()
    assert found == [("in", "car", 1), ("out", "person", 1)]
    assert list(tmp_path.glob("count.state.spool/*")) == []
    assert_one_error(count("--sink", "ftp://x"), 2, "the address of a sink is not valid")


def test_zero_says_why(count: Run) -> None:
    outcome = count("--line", "0,1,1,1,far")
    assert outcome.status == 0
    assert re.search(
        r"^note: far: no crossings; the closest object came within \d+ px$", outcome.out, re.M
    )


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["--line", "0,0,1"], 2, "--line '0,0,1': expected 4 coordinates, got 3"),
        (["--line", "0,0,nan,1"], 2, "invalid coordinate nan"),
        (["--zone", "0,0,1,1"], 2, "--zone '0,0,1,1': expected x,y of at least 3 corners"),
        (["--zone", "0,0,0,0,0,0"], 2, "the corners of a zone are collinear"),
        (["--classes", "carr"], 2, "unknown class 'carr'. Did you mean 'car'"),
        (["--classes", "car", "--any-class"], 2, "classes and any_class exclude each other"),
        (["--report", "counts.txt"], 2, "Use .json, .jsonl, .csv or .html"),
        (["--report", "no/such/folder/counts.csv"], 2, "does not exist. Make it first"),
        (["--annotate", "out.avi"], 2, "Use an .mp4 in a folder that exists"),
        (["--imgsz", "320"], 2, "--imgsz has no effect on squares.onnx"),
    ],
)
def test_count_refuses_before_it_counts(
    count: Run,
    arguments: list[str],
    status: int,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_one_error(count(*arguments), status, text)
    assert list(tmp_path.iterdir()) == []


def test_annotate_does_not_overwrite_its_source(count: Run, crossing: Path) -> None:
    before = crossing.read_bytes()
    assert_one_error(count("--annotate", crossing), 2, "is the source itself")
    assert crossing.read_bytes() == before


def test_a_report_that_is_a_folder(count: Run, tmp_path: Path) -> None:
    (tmp_path / "r.csv").mkdir()
    assert_one_error(count("--report", tmp_path / "r.csv"), 2, "r.csv is a folder")


def test_counts_are_shown_also_where_they_cannot_be_written(
    count: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "r.csv"))

    monkeypatch.setattr("tallylens.edge_runtime.reports.formats.write_all", full)
    outcome = count("--report", tmp_path / "r.csv", "--json")
    assert outcome.status == 3
    assert json.loads(outcome.out)["unique"] == {"car": 1, "person": 1}
    assert "No space left on device" in outcome.err


def test_counts_before_a_broken_frame_are_not_lost(
    tallylens: Run, tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index, picture in enumerate([*squares.scene()[:5], squares.scene()[0][:-8]]):
        cv2.imwrite(str(folder / f"{index}.png"), picture)
    outcome = tallylens(
        "count", folder, "--model", tiny_model, "--json", "--report", tmp_path / "r.json"
    )
    assert outcome.status == 3
    assert outcome.err.endswith(
        "Count images of one size at a time, or unrelated photos with --stills.\n"
    )
    document = json.loads(outcome.out)
    assert (document["frames"], document["interrupted"]) == (5, True)
    assert "frame 5 is" in document["warnings"][0]
    assert json.loads((tmp_path / "r.json").read_text()) == document


# ---- input that cannot be used -----------------------------------------------------------------


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


# ---- the other commands ------------------------------------------------------------------------


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


# ---- a real process ----------------------------------------------------------------------------


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "tallylens", *map(str, arguments)]


@pytest.fixture(scope="session")
def hours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video that takes long to count; the car and the person come first."""
    pictures = squares.scene()
    black = np.zeros_like(pictures[0])
    path = tmp_path_factory.mktemp("video") / "hours.mp4"
    return squares.write_video(path, [*pictures, *[black] * 20_000])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another signal there")
def test_ctrl_c_writes_what_was_counted_so_far(
    tiny_model: Path, hours: Path, tmp_path: Path
) -> None:
    report, video = tmp_path / "r.json", tmp_path / "out.mp4"
    arguments = ["count", hours, "--model", tiny_model, "--line", LINE, "--json"]
    process = subprocess.Popen(
        command(*arguments, "--report", report, "--annotate", video),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert first.startswith("counting: ")
    assert process.returncode == 130
    assert "tallylens: interrupted; these are the counts so far\n" in err
    assert "Traceback" not in err
    document = json.loads(out)
    assert document["interrupted"] is True
    assert 30 < document["frames"] < 20_000
    ways = {"in": "in", "out": "out"}
    assert document["lines"] == [
        {"name": "line 1", "in": {"car": 1}, "out": {"person": 1}, "directions": ways}
    ]
    assert json.loads(report.read_text()) == document
    frames = cv2.VideoCapture(str(video)).get(cv2.CAP_PROP_FRAME_COUNT)
    # The signal may come between counting a frame and drawing it.
    assert document["frames"] - frames in (0, 1)
    assert sorted(tmp_path.iterdir()) == sorted([report, video])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise there")
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_reader_that_goes_away_is_no_failure(
    tiny_model: Path, crossing: Path, more: list[str]
) -> None:
    process = subprocess.Popen(
        command("count", crossing, "--model", tiny_model, *more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_output_that_cannot_be_written_is_3(tiny_model: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command("inspect", tiny_model), stdout=full, stderr=subprocess.PIPE, timeout=60
        )
    assert done.returncode == 3
    assert done.stderr.startswith(b"tallylens: No space left on device.")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="closing a descriptor needs a Unix shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_streams_may_be_closed(
    tiny_model: Path, crossing: Path, tmp_path: Path, closed: str
) -> None:
    report = tmp_path / "r.csv"
    arguments = " ".join(command("count", crossing, "--model", tiny_model, "--report", report))
    done = subprocess.run(
        f"{arguments} {closed}", shell=True, timeout=60, stdout=subprocess.DEVNULL
    )
    assert done.returncode == 0
    assert report.exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only there a name can be any bytes")
def test_names_that_are_no_text_and_a_terminal_without_unicode(
    tiny_model: Path, tmp_path: Path
) -> None:
    odd = tmp_path / os.fsdecode(b"ca\xff\xc3\xa9")
    odd.mkdir()
    for i, picture in enumerate(squares.scene(frames=3)):
        Path(odd, f"{i}.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    for encoding in ("ascii", "utf-8"):
        for more in ([], ["--json"]):
            done = subprocess.run(
                command(
                    "count", odd, "--model", tiny_model, "--report", tmp_path / "r.json", *more
                ),
                capture_output=True,
                env={**os.environ, "PYTHONIOENCODING": encoding},
                timeout=60,
            )
            # Progress is shown where a machine takes more than two seconds.
            others = [line for line in done.stderr.splitlines() if b"counting: " not in line]
            assert (done.returncode, others) == (0, [])
            assert json.loads((tmp_path / "r.json").read_text())["frames"] == 3
            if more:
                assert json.loads(done.stdout)["source"] == str(odd)


@pytest.mark.skipif(sys.platform != "linux", reason="only there a name can be any bytes")
def test_videos_whose_names_are_no_text_are_refused(
    count: Run, crossing: Path, tmp_path: Path
) -> None:
    odd = tmp_path / os.fsdecode(b"ca\xff.mp4")
    odd.write_bytes(crossing.read_bytes())
    assert_one_error(count(source=odd), 3, "the path is not valid text. Rename the file")
    outcome = count("--annotate", tmp_path / os.fsdecode(b"\xfe.mp4"))
    assert_one_error(outcome, 2, "the name of the video is not valid text")
    assert list(tmp_path.iterdir()) == [odd]


@pytest.mark.slow
def test_opencv_and_ffmpeg_say_nothing_of_their_own(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(64))
    for source, status in ((tmp_path / "cut.mp4", 3), ("987", 4)):
        done = subprocess.run(
            command("count", source, "--model", tiny_model), capture_output=True, timeout=60
        )
        assert done.returncode == status
        assert done.stdout == b""
        assert done.stderr.count(b"\n") == 1
