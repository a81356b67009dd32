"""`tallylens count` of photos: with --stills, and of one image."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support import squares
from tests.support.command_line import LINE, Run, assert_one_error


def test_stills_of_any_size_are_counted_one_by_one(
    tallylens: Run, tiny_model: Path, tmp_path: Path
) -> None:
    scene = squares.scene()[10]
    cropped = scene[8:120]
    for name, image in (("a2.png", scene), ("a10.tiff", cropped), ("a3.png", np.zeros_like(scene))):
        cv2.imwrite(str(tmp_path / name), image)
    (tmp_path / "b.jpg").write_bytes(b"no image")
    base = ("--model", tiny_model, "--stills")
    document = json.loads(tallylens("count", tmp_path, *base, "--json").out)
    both = {"car": 1, "person": 1}
    assert document["images"] == [
        {"image": "a2.png", "counts": both},
        {"image": "a3.png", "counts": {}},
        {"image": "a10.tiff", "counts": both},
    ]
    assert document["counts"] == {"car": 2, "person": 2}
    assert document["warnings"] == [f"skipped {tmp_path / 'b.jpg'}: not an image"]
    one = tallylens("count", tmp_path / "a2.png", *base)
    assert one.out == "a2.png: 1 car, 1 person\nin total: 1 car, 1 person\n"
    assert_one_error(
        tallylens("count", tmp_path, *base, "--line", LINE), 2, "--stills does not work with --line"
    )


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.PNG"
    cv2.imwrite(str(path), squares.scene()[10])
    return path


def test_one_image_is_counted_without_tracking(
    tallylens: Run, tiny_model: Path, photo: Path
) -> None:
    outcome = tallylens("count", photo, "--model", tiny_model)
    assert outcome.status == 0
    assert outcome.out == "photo.PNG: 1 car, 1 person\nin total: 1 car, 1 person\n"
    assert outcome.err.startswith("tallylens: one image: its objects are counted without tracking")


@pytest.mark.parametrize("option", [[], ["--stills"]])
def test_photos_counted_with_the_demo_model_are_told_what_it_is(
    tallylens: Run, photo: Path, option: list[str]
) -> None:
    outcome = tallylens("count", photo, "--model", "demo", *option)
    assert outcome.status == 0
    assert "demo detects drawn streets only; for other images give a trained model" in outcome.err


@pytest.mark.parametrize("option", ["--json", "--report", "--line"])
def test_documents_of_one_image_are_those_of_a_video_that_is_too_short(
    tallylens: Run, tiny_model: Path, photo: Path, tmp_path: Path, option: str
) -> None:
    given: dict[str, list[object]] = {
        "--json": [],
        "--report": [tmp_path / "r.json"],
        "--line": [LINE, "--json"],
    }
    values = given[option]
    outcome = tallylens("count", photo, "--model", tiny_model, option, *values)
    text = (tmp_path / "r.json").read_text() if option == "--report" else outcome.out
    document = json.loads(text)
    assert (document["frames"], document["unique"]) == (1, {})
    assert "count the objects of photos with --stills" in document["warnings"][0]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("video.mp4", b"\0\0\0\x18ftypmp42" + b"\0" * 90, "video.mp4: not an image. Give"),
        ("a.gif", b"GIF89a" + b"\0" * 90, "a.gif: not an image. Give a folder"),
        ("a.png", b"", "a.png: not an image. Give a folder"),
    ],
)
def test_a_single_file_that_is_no_photo(
    tallylens: Run, tiny_model: Path, tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    (tmp_path / name).write_bytes(content)
    outcome = tallylens("count", tmp_path / name, "--model", tiny_model, "--stills")
    assert_one_error(outcome, 3, problem)
