"""`.tflite` files of other exporters at the command line, with their names and --names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.support.decoded_models import SIZE, decoded_tflite, with_archive

Run = Callable[..., Any]
pytestmark = pytest.mark.slow
OWN = "{'stride': 16, 'names': {0: 'car', 1: 'person'}}"


@pytest.fixture(scope="module")
def content() -> bytes:
    pytest.importorskip("tensorflow")
    return decoded_tflite("official")


@pytest.fixture
def model(content: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "best-fp16.tflite"
    path.write_bytes(content)
    return path


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "data.yaml"
    path.write_text("path: .\nnames:\n  0: lorry\n  1: child\n")
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    random = np.random.default_rng(1)
    for number in range(12):
        pixels = random.integers(0, 256, (*SIZE, 3), np.uint8)
        (folder / f"{number:02}.png").write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    return folder


def test_inspect(tallylens: Run, model: Path, names: Path, content: bytes) -> None:
    text = tallylens("inspect", model).out
    assert "boxes         360 decoded by the model itself, in fractions of the input" in text
    assert "classes       2: without names, which --names FILE gives" in text
    assert "lorry, child" in tallylens("inspect", model, "--names", names).out
    model.write_bytes(with_archive(content, {"temp_meta.txt": OWN}))
    document = json.loads(tallylens("inspect", model, "--json").out)
    assert document["class_names"] == ["car", "person"]
    assert document["boxes"] == {
        "number": 360,
        "content": "scored_boxes",
        "unit": "fractions of the input",
        "dtype": "float32",
        "step": 0.0,
    }


def test_count(tallylens: Run, model: Path, names: Path, images: Path) -> None:
    unnamed = json.loads(tallylens("count", images, "--model", model, "--json").out)
    assert any("--names FILE; `tallylens verify`" in one for one in unnamed["warnings"])
    assert unnamed["frames"] == 12
    wanted = ("count", images, "--model", model, "--classes", "child")
    refused = tallylens(*wanted)
    assert refused.status == 2
    assert "The model has no class names. Give its class names with --names FILE" in refused.err
    named = tallylens(*wanted, "--names", names, "--json")
    assert named.status == 0
    assert not any("--names" in warning for warning in json.loads(named.out)["warnings"])


def test_stills(tallylens: Run, model: Path, names: Path, images: Path) -> None:
    arguments = ("count", images, "--stills", "--model", model, "--confidence", "0.3", "--json")
    counts = json.loads(tallylens(*arguments, "--names", names).out)["counts"]
    assert set(counts) <= {"lorry", "child"}
    assert sum(counts.values()) > 0


def test_verify_with_the_names_of_the_reference(
    tallylens: Run, model: Path, images: Path, tmp_path: Path, content: bytes
) -> None:
    named = tmp_path / "named.tflite"
    named.write_bytes(with_archive(content, {"metadata.json": '{"names": {"0": "a", "1": "b"}}'}))
    outcome = tallylens("verify", model, "--against", named, "--images", images)
    assert outcome.status == 0
    # Boxes of noise that lie beyond the frame have no area inside, and match nothing.
    assert "verdict     nearly the same detections: " in outcome.out
    other = tmp_path / "other.txt"
    other.write_text("a\nc\n")
    arguments = ("verify", model, "--against", named, "--images", images, "--names", other)
    assert "has other classes than the reference ('c' against 'b')" in tallylens(*arguments).err


def test_eval_and_benchmark(tallylens: Run, model: Path, names: Path, images: Path) -> None:
    labels = images.parent / "labels"
    labels.mkdir()
    (labels / "00.txt").write_text("1 0.5 0.5 0.4 0.4\n")
    arguments = ("--images", images, "--labels", labels, "--names", names, "--json")
    document = json.loads(tallylens("eval", model, *arguments).out)
    assert list(document["per_class"]) == ["child"]
    source = ("benchmark", "--model", model, "--source", images, "--workers", "1", "--json")
    assert json.loads(tallylens(*source).out)["ms"]["inference"] > 0


def test_names_that_do_not_fit(tallylens: Run, model: Path, images: Path, tmp_path: Path) -> None:
    three = tmp_path / "three.txt"
    three.write_text("a\nb\nc\n")
    for command in (
        ("inspect", model),
        ("count", images, "--model", model),
        ("verify", model, "--against", model, "--images", images),
    ):
        outcome = tallylens(*command, "--names", three)
        assert outcome.status == 3
        assert "it has 2 classes, --names gives 3" in outcome.err
    missing = tallylens("inspect", model, "--names", tmp_path / "none.txt")
    assert missing.status == 3
    assert "No such file" in missing.err
    sized = tallylens("count", images, "--model", model, "--imgsz", "320")
    assert sized.status == 2
    assert "--imgsz has no effect" in sized.err
