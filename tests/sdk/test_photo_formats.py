"""`--stills` on one photo in each format, size and orientation: the same objects in every file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tallylens.edge_runtime.core import CounterOptions
from tallylens.stills import count_stills
from tests.support.photos import stored, write

pytestmark = [pytest.mark.slow, pytest.mark.realdata]
# A fourth person is cut by the edge, and detected with a confidence near the default threshold.
OBJECTS, CONFIDENCE = {"bus": 1, "person": 3}, 0.5


@pytest.fixture(scope="module")
def photos(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of every format two sizes, and all orientations of WebP; names say what they are."""
    pytest.importorskip("pillow_heif")
    folder = tmp_path_factory.mktemp("photos")
    image: Any = cv2.imread(str(data / "models" / "bus.jpg"))
    small = cv2.resize(image, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    for suffix in ("jpg", "png", "webp", "tif", "heic", "avif"):
        write(folder / f"large.{suffix}", image)
        write(folder / f"small.{suffix}", small)
    for value in range(2, 9):
        write(folder / f"turned{value}.webp", stored(image, value), value)
    cv2.imwrite(str(folder / "deep.png"), image.astype(np.uint16) * 257)
    return folder


def test_every_photo_has_its_objects(data: Path, photos: Path) -> None:
    model = data / "models" / "yolov5n-export-opset17.onnx"
    options = CounterOptions().with_confidence(CONFIDENCE)
    report = count_stills(photos, model, classes=["bus", "person"], options=options)
    assert dict(report.images) == {path.name: OBJECTS for path in photos.iterdir()}
    assert report.counts == {name: 20 * number for name, number in OBJECTS.items()}
    assert report.warnings == ()
