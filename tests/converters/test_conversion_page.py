"""The page of a conversion: figures, images, and names that are only ever text."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from tallylens.converters.artifacts import Artifact, ConversionReport
from tallylens.converters.conversion_page import to_html
from tallylens.converters.evaluation.agreement import Agreement, Difference, HeadError
from tallylens.converters.evaluation.verify import Precision, Verification
from tallylens.edge_runtime.metadata import ModelMetadata
from tallylens.edge_runtime.types import Detections

HOSTILE = '<script>alert("1")</script>'


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
    artifact = Artifact(tmp_path / "net-int8.tflite", "tflite", "int8", 2_080_000, "0" * 64, check)
    return ConversionReport(
        source=tmp_path / "net.pt",
        name="net-int8",
        report=tmp_path / "net-int8.conversion.json",
        artifacts=(artifact,),
        metadata=metadata.with_pass("prune", fraction=0.2),
        multiply_adds=1_600_000_000,
        source_multiply_adds=2_000_000_000,
        sensitivity={"/model.0/conv": 0.5, "/model.1/conv": 0.125},
        warnings=(f"a warning about {HOSTILE}",),
    )


class _Words(HTMLParser):
    """The text of a page, and how many images it holds."""

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
    plain = replace(report, artifacts=(replace(report.artifacts[0], check=None),), sensitivity={})
    assert "net-int8.tflite" in to_html(plain, None)
