"""A folder of images, good and bad, as calibration input."""

from __future__ import annotations

import struct
import zlib
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
    letterbox,
    list_images,
    read_image,
)
from tallylens.edge_runtime.errors import InputError


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
        f"{tmp_path}: holds no image. "
        "Give a folder with jpg, png, webp or bmp files directly in it."
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
        f"left out: {tmp_path / 'cut.png'}: is a damaged image. Remove or replace this file.",
        (
            f"left out: {tmp_path / 'text.jpg'}: is not a jpg, png, webp or bmp image. "
            "Remove or replace this file."
        ),
    ]


@pytest.mark.filterwarnings(f"ignore::{CalibrationWarning.__module__}.CalibrationWarning")
def test_a_folder_of_bad_images_only_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not an image")
    with pytest.raises(InputError, match="none of its images"):
        list(calibration_images(tmp_path, (32, 32)))


def test_a_decompression_bomb_is_never_decoded(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = (
        struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    )
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    with pytest.raises(InputError, match="more than 100000000 pixels"):
        read_image(tmp_path / "bomb.png")


def test_a_huge_file_is_never_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(65 << 20)
    with pytest.raises(InputError, match="larger than 64 MiB"):
        read_image(tmp_path / "huge.jpg")


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


@pytest.mark.parametrize(
    ("source", "size", "left", "top", "width", "height"),
    [
        ((50, 100), (64, 64), 0, 16, 64, 32),
        ((100, 50), (64, 64), 16, 0, 32, 64),
        ((64, 63), (64, 64), 0, 0, 63, 64),
        ((480, 640), (384, 640), 64, 0, 512, 384),
        ((5, 500), (32, 32), 0, 15, 32, 1),
    ],
)
def test_letterbox_geometry(
    source: tuple[int, int],
    size: tuple[int, int],
    left: int,
    top: int,
    width: int,
    height: int,
) -> None:
    image = np.full((*source, 3), 7, np.uint8)
    box = letterbox(image, size)
    assert box.shape == (*size, 3)
    inside = np.zeros(size, bool)
    inside[top : top + height, left : left + width] = True
    assert (box[inside] == 7).all()
    assert (box[~inside] == 114).all()


def test_letterbox_turns_bgr_into_rgb() -> None:
    box = letterbox(np.full((8, 8, 3), (10, 20, 30), np.uint8), (32, 32))
    assert tuple(box[16, 16]) == (30, 20, 10)


@pytest.mark.realdata
def test_letterbox_is_that_of_the_reference(data: Path) -> None:
    golden = np.load(data / "models" / "yolov5n-bus.golden.npz")["images_u8"]
    box = letterbox(read_image(data / "models" / "bus.jpg"), (640, 640))
    assert np.abs(box.astype(int) - golden).max() <= 1
