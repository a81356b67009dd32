"""A folder of images, good and bad, as calibration input."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens.converters.calibration import (
    CalibrationWarning,
    calibration_images,
    evenly_spaced,
    list_images,
)
from tallylens.edge_runtime.errors import InputError
from tallylens.edge_runtime.sources.images import GIVE_IMAGES


def save(path: Path, size: tuple[int, int] = (20, 30), value: int = 50) -> Path:
    _, content = cv2.imencode(path.suffix.lower(), np.full((*size, 3), value, np.uint8))
    path.write_bytes(content.tobytes())
    return path


def test_lists_images_by_name(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "c.webp", "d.bmp"):
        save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    assert [path.name for path in list_images(tmp_path)] == [
        "a.JPG",
        "b.png",
        "c.webp",
        "d.bmp",
    ]


def test_an_empty_or_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as empty:
        list_images(tmp_path)
    assert str(empty.value) == (
        f"{tmp_path}: no images found. "
        "Give a folder or pattern of jpg, png, webp, tiff, bmp, heic or avif files."
    )
    with pytest.raises(InputError, match="is not a folder"):
        list_images(tmp_path / "absent")


def test_bad_images_are_left_out_with_a_warning(tmp_path: Path) -> None:
    save(tmp_path / "good.png")
    (tmp_path / "text.jpg").write_text("not an image")
    cut = save(tmp_path / "cut.png", (200, 200))
    cut.write_bytes(cut.read_bytes()[:40])
    with pytest.warns(CalibrationWarning) as caught:
        images = list(calibration_images(tmp_path, (32, 32)))
    assert len(images) == 1
    assert sorted(str(entry.message) for entry in caught) == [
        f"left out: {tmp_path / 'cut.png'}: damaged image. {GIVE_IMAGES}.",
        f"left out: {tmp_path / 'text.jpg'}: not an image. {GIVE_IMAGES}.",
    ]


@pytest.mark.filterwarnings(f"ignore::{CalibrationWarning.__module__}.CalibrationWarning")
def test_a_folder_of_bad_images_only_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not an image")
    with pytest.raises(InputError, match="none of its images"):
        list(calibration_images(tmp_path, (32, 32)))


def test_the_choice_is_evenly_spaced_and_repeats(tmp_path: Path) -> None:
    for index in range(10):
        save(tmp_path / f"{index}.png", (32, 32), value=index * 20)
    first = [int(image[0, 0, 0]) for image in calibration_images(tmp_path, (32, 32), limit=5)]
    second = [int(image[0, 0, 0]) for image in calibration_images(tmp_path, (32, 32), limit=5)]
    assert first == second == [0, 40, 80, 120, 160]


@given(st.integers(1, 300), st.integers(1, 120))
def test_evenly_spaced_keeps_order_and_limit(count: int, limit: int) -> None:
    paths = [Path(f"{index:03}") for index in range(count)]
    chosen = evenly_spaced(paths, limit)
    assert len(chosen) == min(count, limit)
    assert chosen[0] == paths[0]
    gaps = np.diff([int(path.name) for path in chosen])
    assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1


def test_images_come_letterboxed_in_rgb(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "wide.png"), np.full((16, 32, 3), (10, 20, 30), np.uint8))
    (box,) = calibration_images(tmp_path, (32, 32))
    assert box.shape == (32, 32, 3)
    assert (box[8:24] == (30, 20, 10)).all()
    assert (box[:8] == 114).all()
    assert (box[24:] == 114).all()
