"""`tallylens convert`: what is printed, refused and drawn."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tallylens.conversion_page import to_html
from tallylens.converters.agreement import Agreement, Difference, HeadError
from tallylens.converters.conversion import Artefact, ConversionReport
from tallylens.converters.verify import Precision, Verification
from tallylens.edge_runtime.metadata import ModelMetadata
from tallylens.edge_runtime.types import Detections

Run = Callable[..., Any]
HOSTILE = '<script>alert("1")</script>'


@pytest.mark.realdata
def test_a_checkpoint_with_its_page(tallylens: Run, data: Path, tmp_path: Path) -> None:
    page, out = tmp_path / "page.html", tmp_path / "out"
    checkpoint = data / "checkpoints" / "v7-tiny-3class.pt"
    arguments = (checkpoint, "--to", "onnx", "-o", out, "--report", page)
    outcome = tallylens("convert", *arguments)
    assert (outcome.status, outcome.err) == (0, "")
    file, found = outcome.out.splitlines()
    assert file.startswith(f"{out / 'v7-tiny-3class.onnx'}  ")
    assert found.startswith("  logits differ from v7-tiny-3class.pt by ")
    assert "v7-tiny-3class.onnx" in page.read_text(encoding="utf-8")
    document = json.loads(tallylens("convert", *arguments, "--json").out)
    assert document["artefacts"][0]["check"]["images"] == 4
    unverified = json.loads(tallylens("convert", *arguments[:5], "--no-verify", "--json").out)
    assert unverified["artefacts"][0]["check"] is None


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--report", "page.pdf"], "page.pdf is no report that can be written"),
        (["--no-verify", "--min-agreement", "0.5"], "nothing is verified"),
        (["--min-agreement", "1.5"], "is not a fraction from 0 to 1"),
        (["--labels", "labels"], "labels need the images that they belong to"),
    ],
)
def test_contradictions_are_refused_before_any_work(
    tallylens: Run, arguments: list[str], problem: str
) -> None:
    outcome = tallylens("convert", "absent.pt", *arguments)
    assert outcome.status == 2
    assert problem in outcome.err


@pytest.mark.realdata
def test_images_left_out_are_told_in_a_line_each(
    tallylens: Run, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "damaged.jpg").write_bytes(b"no picture")
    checkpoint = data / "checkpoints" / "v7-tiny-3class.pt"
    arguments = ("--quantize", "int8", "--calibration", tmp_path, "-o", tmp_path / "out")
    outcome = tallylens("convert", checkpoint, *arguments)
    assert outcome.status == 3
    left_out, refused = outcome.err.splitlines()
    assert left_out.startswith(f"tallylens: left out: {tmp_path / 'damaged.jpg'}: not an image")
    assert "none of its images can be read" in refused
    assert not (tmp_path / "out").exists()


def detections(*rows: tuple[float, float, float, float]) -> Detections:
    boxes = np.array(rows, np.float32).reshape(-1, 4)
    return Detections(boxes, np.full(len(rows), 0.5, np.float32), np.zeros(len(rows), np.int64))


@pytest.fixture
def report(tmp_path: Path) -> ConversionReport:
    found = Agreement(model=1, reference=2, matched=1)
    difference = Difference(
        "street.png", detections((2, 2, 20, 20)), detections((2, 2, 20, 20), (30, 5, 44, 28)), found
    )
    check = Verification(
        model="net-int8.tflite",
        reference="net.pt",
        engine="litert",
        reference_engine="onnxruntime",
        images=16,
        heads=(HeadError("head8", 1.5, 0.25),),
        detections=found,
        worst=(difference,),
        inference_ms=12.34,
        reference_inference_ms=45.6,
        model_precision=Precision(0.31, 0.5),
        reference_precision=Precision(0.33, 0.52),
    )
    metadata = ModelMetadata((HOSTILE,), (64, 96), (8,), (((8.0, 8.0),),), ("head8",))
    artefact = Artefact(tmp_path / "net-int8.tflite", "tflite", "int8", 2_080_000, "0" * 64, check)
    return ConversionReport(
        source=tmp_path / "net.pt",
        name="net-int8",
        report=tmp_path / "net-int8.conversion.json",
        artefacts=(artefact,),
        metadata=metadata.with_pass("prune", fraction=0.2),
        multiply_adds=1_600_000_000,
        source_multiply_adds=2_000_000_000,
        sensitivity={"/model.0/conv": 0.5, "/model.1/conv": 0.125},
        warnings=(f"a warning about {HOSTILE}",),
    )


class _Words(HTMLParser):
    """The text of a page, and how many pictures it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.pictures = 0
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "img":
            self.pictures += 1
            assert str(dict(attrs)["src"]).startswith("data:image/jpeg;base64,")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(page: str) -> _Words:
    words = _Words()
    words.feed(page)
    return words


def test_the_page_holds_the_figures_and_the_pictures(
    report: ConversionReport, tmp_path: Path
) -> None:
    picture = np.full((32, 48, 3), 90, np.uint8)
    (tmp_path / "street.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    page = read(to_html(report, tmp_path))
    assert page.pictures == 2
    text = " ".join(page.words)
    for wanted in ("2.08", "1.60 G", "20 %", "12.3", "45.6", "0.500", "0.3100", "0.3300", "0.125"):
        assert wanted in text
    assert "street.png, tflite: 1 of 2 agree" in text
    assert "script" not in page.tags
    assert HOSTILE in text  # as text


def test_the_page_without_pictures_or_verification(report: ConversionReport) -> None:
    assert read(to_html(report, None)).pictures == 0
    plain = replace(report, artefacts=(replace(report.artefacts[0], check=None),), sensitivity={})
    assert "net-int8.tflite" in to_html(plain, None)
