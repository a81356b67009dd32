from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens.edge_runtime.errors import InputError, SourceError
from tallylens.edge_runtime.sources import open_source
from tallylens.edge_runtime.sources.image_header import image_size
from tallylens.edge_runtime.sources.images import natural_key, read_image
from tallylens.edge_runtime.types import Frame

cv2 = pytest.importorskip("cv2")


def levels(source: Iterable[Frame]) -> list[int]:
    return [round((float(frame.image.mean()) - 10) / 8) for frame in source]


def test_a_folder_in_natural_order(image_folder: Path) -> None:
    with open_source(image_folder) as source:
        assert (source.frames_total, source.size, source.fps) == (12, (64, 48), 1.0)
        frames = list(source)
    assert levels(frames) == list(range(1, 13))
    assert [frame.timestamp_ns for frame in frames] == [i * 10**9 for i in range(12)]


def test_a_glob_and_a_rate(image_folder: Path) -> None:
    with open_source(f"{image_folder}/frame1*.png", image_fps=25) as source:
        frames = list(source)
    assert levels(frames) == [1, 10, 11, 12]
    assert [frame.timestamp_ns for frame in frames] == [0, 40_000_000, 80_000_000, 120_000_000]


def test_one_image(image_folder: Path) -> None:
    with open_source(image_folder / "frame3.png") as source:
        assert levels(source) == [3]


def test_an_unreadable_image_is_named_and_keeps_its_time(image_folder: Path) -> None:
    (image_folder / "frame1.png").write_bytes(b"broken")
    (image_folder / "frame5.png").write_bytes((image_folder / "frame5.png").read_bytes()[:60])
    with open_source(image_folder) as source:
        frames = list(source)
    assert [frame.index for frame in frames] == [1, 2, 3, *range(5, 12)]
    assert [frame.timestamp_ns for frame in frames] == [f.index * 10**9 for f in frames]
    assert source.warnings == [
        f"skipped {image_folder / 'frame1.png'}: not an image",
        f"skipped {image_folder / 'frame5.png'}: damaged image",
    ]


def test_many_unreadable_images_are_counted(tmp_path: Path, image_folder: Path) -> None:
    for index in range(20, 53):
        (image_folder / f"frame{index}.png").write_bytes(b"broken")
    with open_source(image_folder) as source:
        assert len(list(source)) == 12
    assert len(source.warnings) == 21
    assert source.warnings[-1] == "skipped 13 more images that could not be read"


def test_a_folder_with_none_that_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"broken")
    with pytest.raises(SourceError, match="none of its 1 images can be read"):
        open_source(tmp_path)


def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    path = tmp_path / "bomb.png"
    path.write_bytes(png + struct.pack(">I", zlib.crc32(chunk)))
    with pytest.raises(InputError, match="20000x20000 pixels exceed the limit of 100 megapixels"):
        read_image(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp"])
def test_the_size_in_the_header_is_that_of_the_image(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image{suffix}"
    cv2.imwrite(str(path), np.zeros((37, 53, 3), np.uint8))
    assert image_size(path.read_bytes()) == (37, 53)
    assert read_image(path).shape == (37, 53, 3)


STARTS = [b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF1234WEBP", b"RIFF1234WEBPVP8 "]


@given(st.sampled_from(STARTS), st.binary())
def test_any_bytes_have_a_size_or_none(start: bytes, rest: bytes) -> None:
    size = image_size(start + rest)
    assert size is None or (len(size) == 2 and min(size) >= 0)


def test_gray_and_transparent_images_become_bgr(tmp_path: Path) -> None:
    for channels in (1, 4):
        path = tmp_path / f"{channels}.png"
        cv2.imwrite(str(path), np.full((4, 6, channels), 200, np.uint8))
        assert read_image(path).shape == (4, 6, 3)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["f10", "f9", "f1"], ["f1", "f9", "f10"]),
        (["b2", "a10", "A9"], ["A9", "a10", "b2"]),
        (["10", "9", "x"], ["9", "10", "x"]),
    ],
)
def test_natural_order(names: list[str], expected: list[str]) -> None:
    assert sorted(names, key=lambda name: natural_key(Path(name))) == expected
