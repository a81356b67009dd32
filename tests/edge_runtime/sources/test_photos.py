"""Photos as phones and scanners write them: each format, bit depth and orientation."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens.edge_runtime.errors import InputError, MissingExtraError
from tallylens.edge_runtime.sources.exif import orientation, upright, webp_orientation
from tallylens.edge_runtime.sources.heif import heif_size, is_heif
from tallylens.edge_runtime.sources.image_header import image_size
from tallylens.edge_runtime.sources.images import find_images, read_image
from tallylens.edge_runtime.types import Image
from tests.support.photos import EXIF_FORMATS, stored, write

HEIF = ["heic", "avif"]


def picture() -> Image:
    """Four quarters of different colors, BGR; 60 x 40."""
    image = np.zeros((40, 60, 3), np.uint8)
    image[:20, :30], image[:20, 30:] = (240, 30, 30), (30, 240, 30)
    image[20:, :30], image[20:, 30:] = (30, 30, 240), (30, 230, 230)
    return image


def difference(one: Image, other: Image) -> float:
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other).mean())


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("suffix", [*EXIF_FORMATS, "avif"])
def test_all_orientations_of_all_formats(tmp_path: Path, suffix: str, value: int) -> None:
    if suffix == "avif":
        pytest.importorskip("pillow_heif")
    path = write(tmp_path / f"photo.{suffix}", stored(picture(), value), value)
    image = read_image(path)
    assert image.flags.c_contiguous
    assert difference(image, picture()) < 8


@pytest.mark.parametrize("quarters", range(4))
def test_heic_is_turned_by_its_property(tmp_path: Path, quarters: int) -> None:
    """Phones turn HEIC by the property `irot`, in quarters against the clock, and not by EXIF."""
    pytest.importorskip("pillow_heif")
    stored_image = np.ascontiguousarray(np.rot90(picture(), -quarters))
    path = write(tmp_path / "photo.heic", stored_image)
    content = path.read_bytes()
    # The encoder writes no `irot`: the box of the color profile becomes one of the same length.
    at = content.index(b"colrnclx")
    size = int.from_bytes(content[at - 4 : at], "big")
    turn = b"irot" + bytes([quarters]).ljust(size - 8, b"\0")
    content = content[:at] + turn + content[at + size - 4 :]
    # It is the second property; it must be essential, and applies after cropping (the fourth).
    order, turned_last = b"\x81\x02\x03\x05\x84", b"\x81\x03\x05\x84\x82"
    assert order in content
    path.write_bytes(content.replace(order, turned_last))
    assert difference(read_image(path), picture()) < 12


@pytest.mark.parametrize("suffix", HEIF)
def test_the_header_of_heif_gives_the_size(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("pillow_heif")
    content = write(tmp_path / f"photo.{suffix}", picture()).read_bytes()
    assert is_heif(content)
    # HEVC stores whole blocks; the largest size bounds the memory of the decoder.
    assert image_size(content) == heif_size(content) == ((64, 64) if suffix == "heic" else (40, 60))


@pytest.mark.parametrize("suffix", HEIF)
def test_a_bomb_is_refused_by_its_header(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("pillow_heif")
    path = write(tmp_path / f"photo.{suffix}", picture())
    content = path.read_bytes()
    at = content.index(b"ispe") + 8
    path.write_bytes(content[:at] + (20_000).to_bytes(4, "big") * 2 + content[at + 8 :])
    with pytest.raises(InputError, match="20000x20000 pixels exceed the limit of 100 megapixels"):
        read_image(path)


@pytest.mark.parametrize("suffix", HEIF)
def test_a_heif_that_is_cut_off_is_damaged(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("pillow_heif")
    path = write(tmp_path / f"photo.{suffix}", np.tile(picture(), (4, 4, 1)))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(InputError, match=r"damaged image|not an image"):
        read_image(path)


@pytest.mark.parametrize("suffix", HEIF)
def test_without_the_extra_its_name_is_said(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"photo.{suffix}").write_bytes(b"\0\0\0\x14ftypheic\0\0\0\0mif1")
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "pillow_heif" else found(name)
    )
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    pytest.importorskip("PIL")
    with pytest.raises(MissingExtraError) as caught:
        find_images(tmp_path)
    assert str(caught.value) == (
        "reading HEIC and AVIF images needs the package pillow-heif, which is not installed. "
        "Install it with: pip install 'tallylens[heif]'."
    )


def test_a_heic_that_is_called_jpg_is_read_or_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pillow_heif")
    path = write(tmp_path / "photo.heic", picture()).rename(tmp_path / "photo.jpg")
    assert difference(read_image(path), picture()) < 8
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="needs the package pillow, which is not installed"):
        read_image(path)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_scaled_to_eight(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"photo.{suffix}"
    deep = picture().astype(np.uint16) * 257
    cv2.imwrite(str(path), deep)
    assert difference(read_image(path), picture()) <= 1
    cv2.imwrite(str(path), deep[:, :, 0])
    assert difference(read_image(path), np.repeat(picture()[:, :, :1], 3, 2)) <= 1


@given(st.binary(max_size=200), st.sampled_from([b"II*\0", b"MM\0*", b""]))
def test_any_exif_has_an_orientation(rest: bytes, start: bytes) -> None:
    assert 1 <= orientation(start + rest) <= 8
    assert 1 <= webp_orientation(b"RIFF\0\0\0\0WEBPEXIF" + rest) <= 8


@given(st.binary(max_size=300))
def test_any_boxes_have_a_size_or_none(rest: bytes) -> None:
    boxes = b"\0\0\0\x14ftypavif\0\0\0\0mif1"
    for content in (boxes + rest, boxes + b"\0\0\1\0meta\0\0\0\0" + rest):
        size = image_size(content)
        assert size is None or min(size) >= 0


@pytest.mark.parametrize("value", range(1, 9))
def test_turning_is_the_inverse_of_storing(value: int) -> None:
    assert np.array_equal(upright(stored(picture(), value), value), picture())
