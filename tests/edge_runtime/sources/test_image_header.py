"""Sizes from headers, with OpenCV's encoders as the oracle."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens.edge_runtime.sources.image_header import image_size


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tiff"])
@pytest.mark.parametrize("size", [(1, 1), (17, 300), (480, 31)])
def test_every_format(suffix: str, size: tuple[int, int]) -> None:
    done, content = cv2.imencode(suffix, np.zeros((*size, 3), np.uint8))
    assert done
    assert image_size(content.tobytes()) == size


def test_lossless_and_transparent_webp() -> None:
    image = np.zeros((33, 21, 4), np.uint8)
    _, content = cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, 101])
    assert image_size(content.tobytes()) == (33, 21)
    extended = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + b"\x0f\0\0" + b"\x1f\0\0"
    assert image_size(extended) == (32, 16)


def test_progressive_jpeg_with_other_segments_before_the_frame() -> None:
    _, content = cv2.imencode(
        ".jpg", np.zeros((9, 5, 3), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    )
    comment = b"\xff\xff\xfe\x00\x06abcd"
    assert image_size(content.tobytes()[:2] + comment + content.tobytes()[2:]) == (9, 5)


@given(
    st.sampled_from(
        [
            b"",
            b"\xff\xd8",
            b"\xff\xd8\xff",
            b"\x89PNG\r\n\x1a\n",
            b"BM",
            b"II*\0\x08\0\0\0\x02\0",
            b"MM\0*\0\0\0\x08\0\x02",
            b"RIFF\0\0\0\0WEBPVP8 ",
        ]
    ),
    st.binary(max_size=60),
)
def test_any_bytes_give_a_size_or_none(start: bytes, rest: bytes) -> None:
    size = image_size(start + rest)
    assert size is None or (len(size) == 2 and min(size) >= 0)


def test_a_jpeg_of_nothing_but_segments_ends() -> None:
    assert image_size(b"\xff\xd8" + b"\xff\xe0\x00\x02" * 10_000) is None


def test_tiff_of_either_byte_order() -> None:
    for order, mark in (("<", b"II*\0"), (">", b"MM\0*")):
        entries = struct.pack(f"{order}HHHIHHHHII", 2, 256, 3, 1, 21, 0, 257, 4, 1, 70_000)
        assert image_size(mark + struct.pack(f"{order}I", 8) + entries) == (70_000, 21)
