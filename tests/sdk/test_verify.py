"""`tallylens verify` at the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import onnx
import pytest

from tests.support import squares


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for number, picture in enumerate(squares.scene(frames=3)):
        (folder / f"{number}.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    return folder


@pytest.fixture
def other_names(tmp_path: Path) -> Path:
    path = tmp_path / "other.onnx"
    onnx.save(squares.tiny_model_proto(("lorry", "person")), path)
    return path


def test_json_has_the_figures(tallylens: Any, tiny_model: Path, images: Path) -> None:
    result = tallylens("verify", tiny_model, "--against", tiny_model, "--images", images, "--json")
    assert (result.status, result.err) == (0, "")
    document = json.loads(result.out)
    assert document["images"] == 3
    assert document["heads"] == [{"name": "head8", "max_abs": 0.0, "mean_abs": 0.0}]
    assert document["detections"] == {
        "model": 6,
        "reference": 6,
        "matched": 6,
        "agreement": 1.0,
        "of_reference": 1.0,
        "of_model": 1.0,
    }


def test_text_says_the_same(tallylens: Any, tiny_model: Path, images: Path) -> None:
    result = tallylens("verify", tiny_model, "--against", tiny_model, "--images", images)
    assert result.out.splitlines() == [
        "images      3",
        "engines     onnxruntime-cpu, reference onnxruntime-cpu",
        "head8       error 0.0000 maximum, 0.00000 mean",
        "agreement   1.0000 (6 of 6 detections of the reference, 6 of the model)",
        "verdict     nearly the same detections: 0 of 6 are missing or differ, 0 of 6 are not the "
        "reference's",
    ]


def test_too_little_agreement_is_status_3(
    tallylens: Any, tiny_model: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tallylens.converters.evaluation.agreement as agreement

    monkeypatch.setattr(agreement, "MATCH_IOU", 1.1)
    arguments = ("verify", tiny_model, "--against", tiny_model, "--images", images)
    result = tallylens(*arguments, "--min-agreement", 0.5, "--json")
    assert result.status == 3
    assert json.loads(result.out)["detections"]["agreement"] == 0
    assert result.err == (
        f"tallylens: {tiny_model}: detection agreement 0.0000 is below 0.5. "
        "Prune or quantize less, or calibrate with more images.\n"
    )
    assert tallylens(*arguments, "--min-agreement", 0).status == 0


def test_other_classes_are_status_3(
    tallylens: Any, tiny_model: Path, other_names: Path, images: Path
) -> None:
    result = tallylens("verify", other_names, "--against", tiny_model, "--images", images)
    assert result.status == 3
    assert "Give the checkpoint that the model was converted from." in result.err


@pytest.mark.parametrize("text", ["1.5", "-1", "much", "nan"])
def test_a_limit_that_is_no_fraction(tallylens: Callable[..., Any], text: str) -> None:
    result = tallylens("verify", "a", "--against", "b", "--images", "c", "--min-agreement", text)
    assert result.status == 2
    assert f"'{text}' is not a fraction from 0 to 1" in result.err
