"""The search on a real detector: the demo's own model, on frames of its street."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tallylens.converters.budget.front import fitting_sizes, smaller_sizes
from tallylens.converters.budget.search import size_families
from tallylens.converters.video_frames import as_image_folder
from tallylens.edge_runtime.errors import InputError
from tallylens.edge_runtime.sources.open import open_source
from tests.support.squares import scene, tiny_metadata, write_video

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


def test_images_of_several_shapes_have_both_kinds_of_sizes() -> None:
    whole = tiny_metadata()
    wide, tall = (480, 640), (640, 480)
    own, fitted = size_families(whole, [wide, wide, tall], 0.5)
    assert own == smaller_sizes(whole.input_size, max(whole.strides), 0.1)
    assert fitted[0] == (96, 128)
    assert not set(own) & set(fitted)
    assert size_families(whole, [wide, wide], 0.5) == [fitting_sizes((128, 128), wide, 8, 0.1)]
    square = (500, 500)
    assert size_families(whole, [square], 0.5) == size_families(whole, [square, (9, 9)], 0.5)
    # Too long for any fitted size: the source's own.
    assert size_families(whole, [(1, 4000)], 0.5) == [own]


def test_a_time_on_the_device(tallylens: Run, street: Path, tmp_path: Path) -> None:
    benchmark = tmp_path / "device.json"
    benchmark.write_text(json.dumps({"ms": {"inference": 10}}))
    options = ("--to", "onnx", "-o", tmp_path, "--budget", "3ms", "--benchmark", benchmark)
    model = street / "tallylens-demo.onnx"
    outcome = tallylens(
        "convert",
        model,
        *("--calibration", street / "images", "--no-verify", "--json", "--recover", "0.01"),
        *options,
    )
    assert outcome.status == 0, outcome.err
    document = json.loads(outcome.out)
    chosen = document["front"]["chosen"]
    assert chosen["share"] <= 0.3
    trained = "recover" in [one["name"] for one in document["metadata"]["passes"]]
    idle = any("--recover had nothing to do" in one for one in document["warnings"])
    assert (trained, idle) == (bool(chosen["prune"]), not chosen["prune"])


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
