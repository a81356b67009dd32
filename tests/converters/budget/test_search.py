"""The search on a real detector: the demo's own model, on frames of its street."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest

from tallylens.converters.video_frames import as_image_folder
from tallylens.edge_runtime.errors import InputError
from tallylens.edge_runtime.sources.open import open_source
from tests.support.squares import scene, write_video

pytestmark = pytest.mark.slow
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tallylens.cli import main

    folder = tmp_path_factory.mktemp("demo")
    assert main(["demo", "--seconds", "5", "--out", str(folder), "--json"]) == 0
    return folder


def test_a_share_of_the_macs(tallylens: Run, street: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    options = ("--to", "onnx", "-o", tmp_path, "--budget", "0.5", "--report", page, "--json")
    model = street / "tallylens-demo.onnx"
    outcome = tallylens("convert", model, "--calibration", street / "street.mp4", *options)
    assert outcome.status == 0, outcome.err
    document = json.loads(outcome.out)
    front = document["front"]
    chosen = front["chosen"]
    assert chosen["fits"]
    assert chosen["share"] <= 0.5
    fitting = [one for one in front["candidates"] if one["fits"]]
    assert chosen["agreement"] == max(one["agreement"] for one in fitting)
    assert chosen["held_back"] is not None
    assert [one["share"] for one in front["candidates"]] == sorted(
        one["share"] for one in front["candidates"]
    )
    assert any(one["prune"] for one in front["candidates"])
    height, width = chosen["input_size"]
    assert document["metadata"]["input_size"] == [height, width]
    assert f"-{height}x{width}" in document["name"]
    frame_height, frame_width = video_size(street / "street.mp4")
    for one in front["candidates"]:  # no candidate spends MACs on a border
        scale = min(one["input_size"][0] / frame_height, one["input_size"][1] / frame_width)
        assert one["input_size"][0] - frame_height * scale < 32
        assert one["input_size"][1] - frame_width * scale < 32
    assert "Candidates of the budget" in page.read_text(encoding="utf-8")


def video_size(path: Path) -> tuple[int, int]:
    """(height, width) of its frames."""
    with open_source(path) as frames:
        height, width = next(iter(frames)).image.shape[:2]
    return height, width


def test_images_of_several_shapes_have_both_kinds_of_sizes(
    tallylens: Run, street: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for number, path in enumerate(sorted((street / "images").iterdir())[:6]):
        image = cv2.imread(str(path))
        assert image is not None
        cv2.imwrite(str(folder / path.name), image[:, 100:] if number % 3 == 0 else image)
    options = ("--to", "onnx", "-o", tmp_path, "--budget", "0.5", "--no-verify", "--json")
    outcome = tallylens(
        "convert", street / "tallylens-demo.onnx", "--calibration", folder, *options
    )
    assert outcome.status == 0, outcome.err
    document = json.loads(outcome.out)
    shapes = {
        one["input_size"][0] / one["input_size"][1] for one in document["front"]["candidates"]
    }
    assert len(shapes) > 1


def test_a_time_on_the_device(tallylens: Run, street: Path, tmp_path: Path) -> None:
    benchmark = tmp_path / "device.json"
    benchmark.write_text(json.dumps({"ms": {"inference": 10}}))
    options = ("--to", "onnx", "-o", tmp_path, "--budget", "3ms", "--benchmark", benchmark)
    model = street / "tallylens-demo.onnx"
    outcome = tallylens(
        "convert", model, "--calibration", street / "images", "--no-verify", "--json", *options
    )
    assert outcome.status == 0, outcome.err
    assert json.loads(outcome.out)["front"]["chosen"]["share"] <= 0.3


@pytest.mark.parametrize(
    ("options", "status", "problem"),
    [
        (["--budget", "0.5"], 2, "--budget needs images"),
        (["--budget", "5", "--calibration", "x"], 2, "--budget is '5'"),
        (["--budget", "0.5", "--prune", "0.2", "--calibration", "x"], 2, "Omit --prune"),
        (["--budget", "3ms", "--benchmark", "missing.json"], 3, "missing.json"),
    ],
)
def test_wrong_budgets(
    tallylens: Run, street: Path, options: list[str], status: int, problem: str
) -> None:
    outcome = tallylens("convert", street / "tallylens-demo.onnx", *options)
    assert outcome.status == status
    assert problem in outcome.err


def test_a_video_becomes_a_folder_of_frames(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", scene(frames=30))
    with as_image_folder(video) as folder:
        assert folder is not None
        assert len(list(folder.iterdir())) == 30
    assert not folder.exists()
    with as_image_folder(tmp_path) as folder:
        assert folder == tmp_path
    (tmp_path / "notes.txt").write_text("no video")
    with pytest.raises(InputError), as_image_folder(tmp_path / "notes.txt"):
        pass
