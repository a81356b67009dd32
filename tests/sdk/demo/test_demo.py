"""`tallylens demo`: the whole way, from drawing to a report beside the truth."""

from __future__ import annotations

import json
import shlex
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest

from tallylens import Counter
from tallylens.built_in import DEMO, DEMO_FLOAT
from tallylens.cli import main
from tallylens.commands import demo as command
from tallylens.demo.outcome import Outcome
from tallylens.demo.scene import Scene
from tallylens.demo.source import open_scene
from tallylens.edge_runtime.engines import open_engine
from tallylens.edge_runtime.errors import SourceError

Run = Callable[..., tuple[int, str, str]]
FILES = {"street.mp4", "annotated.mp4", "report.json", "report.csv", "tallylens-demo.onnx"}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the demo needs no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.slow
def test_the_default_demo_is_exactly_right(run_demo: Run) -> None:
    status, out, _ = run_demo("--json", "--seconds", "20", "--fps", "30")
    document = json.loads(out)
    assert status == 0
    assert document["counts"] == document["truth"]
    assert sum(sum(counts.values()) for counts in document["truth"].values()) > 20
    assert document["frames"] == 600


@pytest.mark.slow
def test_json_is_one_document(run_demo: Run, tmp_path: Path) -> None:
    status, out, err = run_demo("--json", "--seed", "3")
    document = json.loads(out)
    assert status == 0
    assert "Traceback" not in err
    assert (
        document["counts"].keys() == document["truth"].keys() == {"unique", "in", "out", "entered"}
    )
    assert document["right"] == (document["counts"] == document["truth"])
    assert (document["seed"], document["fps"], document["frames"]) == (3, 10, 50)
    assert {Path(path).name for path in document["files"]} >= FILES - {"tallylens-demo.onnx"}
    assert all((tmp_path / path).is_file() for path in document["files"])
    assert document["speed"]["fps"] > 0
    truth = Scene(3, command.SIZE, 10, 5).truth
    assert document["truth"]["unique"] == truth.unique
    assert document["dwell_s"]["truth"]["max"] == pytest.approx(truth.max_dwell_s, abs=1e-3)


@pytest.mark.slow
def test_everything_is_left_in_one_folder(ran: Any) -> None:
    assert {path.name for path in ran.folder.iterdir()} >= FILES | {"images", "labels"}
    assert not list(ran.folder.rglob(".*"))
    for name in ("street.mp4", "annotated.mp4"):
        video = cv2.VideoCapture(str(ran.folder / name))
        assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 50
        assert video.get(cv2.CAP_PROP_FPS) == 10
    images = sorted((ran.folder / "images").iterdir())
    labels = sorted((ran.folder / "labels").iterdir())
    assert [one.stem for one in images] == [one.stem for one in labels]
    assert len(images) == 50
    assert (
        json.loads((ran.folder / "report.json").read_text())["unique"]
        == (ran.document["counts"]["unique"])
    )


@pytest.mark.slow
def test_the_three_next_commands_run(ran: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(ran.document["next"]) == 3
    for text in ran.document["next"]:
        name, *arguments = shlex.split(text)
        assert name == "tallylens"
        assert main(arguments) == 0, text
        assert capsys.readouterr().out


@pytest.mark.slow
def test_the_table_shows_counts_beside_the_truth(run_demo: Run) -> None:
    status, out, err = run_demo()
    assert status == 0
    assert "counted" in out
    assert "truth" in out
    assert "unique objects" in out
    street = "tallylens-demo/street.mp4 --model demo --confidence 0.6 --iou 0.3"
    assert f"Next, try:\n  tallylens count {street} --line " in out
    assert "Traceback" not in err


def test_wrong_figures_are_told_apart() -> None:
    zero: dict[str, dict[str, int]] = {"in": {}, "out": {}, "entered": {}}
    outcome = Outcome(
        {"unique": {"car": 2, "bus": 1}, **zero}, {"unique": {"car": 3, "person": 1}, **zero}
    )
    assert not outcome.right
    assert outcome.error == 3
    assert list(outcome.rows()) == [
        ("unique", "person", 0, 1),
        ("unique", "car", 2, 3),
        ("unique", "bus", 1, 0),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--fps", "1000"), "tallylens: --fps is 1000. Use 1 to 240.\n"),
        (("--seconds", "1"), "tallylens: --seconds is 1. Use 5 to 600.\n"),
        (("--seed", "-2"), "tallylens: --seed is -2. Use 0 or more.\n"),
    ],
)
def test_wrong_usage_is_2_and_leaves_nothing(
    run_demo: Run, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    assert run_demo(*arguments) == (2, "", message)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_3(run_demo: Run, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    status, out, err = run_demo("-o", "taken")
    assert (status, out) == (3, "")
    assert err == (
        "tallylens: taken: the folder cannot be created (File exists). "
        "Choose another one with -o.\n"
    )


def test_a_folder_with_other_files_is_left_alone(run_demo: Run, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "report.json").write_text("mine")
    status, out, err = run_demo("-o", "mine")
    assert (status, out) == (2, "")
    assert err == ("tallylens: the folder mine holds other files. Choose another one with -o.\n")
    assert [path.name for path in mine.iterdir()] == ["report.json"]
    assert (mine / "report.json").read_text() == "mine"


@pytest.mark.slow
def test_the_folder_of_an_earlier_demo_is_used_again(ran: Any, run_demo: Run) -> None:
    status, out, _ = run_demo("--json", "--seed", "1")
    assert status == 0
    assert (
        json.loads((ran.folder / "report.json").read_text())["unique"]
        == (json.loads(out)["counts"]["unique"])
    )


def test_a_camera_that_is_not_there_is_4(run_demo: Run, tmp_path: Path) -> None:
    status, out, err = run_demo("--camera", "987")
    assert (status, out) == (4, "")
    assert "camera 987 cannot be opened" in err
    assert not (tmp_path / "tallylens-demo").exists()


def test_ctrl_c_while_drawing_leaves_no_half_video(
    run_demo: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Scene.frame

    def interrupted(scene: Scene, index: int) -> Any:
        if index == 20:
            raise KeyboardInterrupt
        return whole(scene, index)

    monkeypatch.setattr(Scene, "frame", interrupted)
    status, out, err = run_demo()
    assert (status, out, err) == (130, "", "tallylens: interrupted\n")
    assert not list((tmp_path / "tallylens-demo").glob("*.mp4"))
    assert not list((tmp_path / "tallylens-demo").glob(".*"))


def test_ctrl_c_while_counting_reports_what_was_counted(
    run_demo: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tallylens.edge_runtime.reports.annotate import AnnotatedVideo

    write = AnnotatedVideo.frame

    def interrupted(video: AnnotatedVideo, counted: Any) -> None:
        if counted.frame.index == 20:
            raise KeyboardInterrupt
        write(video, counted)

    monkeypatch.setattr(AnnotatedVideo, "frame", interrupted)
    status, out, _ = run_demo("--json")
    assert status == 130
    assert json.loads(out)["interrupted"] is True
    assert (tmp_path / "tallylens-demo" / "report.json").is_file()


def test_the_model_says_what_it_is() -> None:
    for path, quantization in ((DEMO.path, "int8"), (DEMO_FLOAT, "none")):
        with open_engine(path) as engine:
            metadata = engine.metadata
        assert metadata.class_names == ("person", "bicycle", "car", "bus")
        assert metadata.quantization == quantization
        assert metadata.input_size == (192, 320)
        assert metadata.weights_license == "Apache-2.0"
    assert DEMO.path.stat().st_size <= 800_000
    assert DEMO_FLOAT.stat().st_size <= 1_500_000


def test_a_scene_is_a_source() -> None:
    scene = Scene(1, (160, 90), fps=12, seconds=5)
    with open_scene(scene) as source:
        frames = list(source)
    assert (source.size, source.fps, source.frames_total) == ((160, 90), 12, 60)
    assert [frame.index for frame in frames] == list(range(60))
    assert frames[1].timestamp_ns == round(1e9 / 12)
    with pytest.raises(SourceError, match="no-such-camera"):
        Counter(DEMO.path).run("no-such-camera.mp4")
