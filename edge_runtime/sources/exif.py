"""EXIF orientation of WebP images, which OpenCV below 4.13 does not apply."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..types import Image

ORIENTATION_TAG = 0x0112
UPRIGHT = 1
# Tags of one directory that are looked at.
MAX_TAGS = 512


def webp_orientation(content: bytes) -> int:
    """The orientation (1 to 8) in the EXIF chunk of WebP bytes; 1 without a valid one."""
    position = 12
    while position + 8 <= len(content):
        size = int.from_bytes(content[position + 4 : position + 8], "little")
        if content[position : position + 4] == b"EXIF":
            data = content[position + 8 : position + 8 + size]
            return orientation(data.removeprefix(b"Exif\0\0"))
        position += 8 + size + size % 2
    return UPRIGHT


def orientation(exif: bytes) -> int:
    """The orientation (1 to 8) in EXIF data, a TIFF structure; 1 without a valid one."""
    if not exif.startswith((b"II*\0", b"MM\0*")):
        return UPRIGHT
    order: Literal["little", "big"] = "little" if exif.startswith(b"II") else "big"

    def number(start: int, count: int) -> int:
        return int.from_bytes(exif[start : start + count], order)

    directory = number(4, 4)
    for index in range(min(number(directory, 2), MAX_TAGS)):
        entry = directory + 2 + 12 * index
        if number(entry, 2) == ORIENTATION_TAG:
            value = number(entry + 8, 2)
            return value if 1 <= value <= 8 else UPRIGHT
    return UPRIGHT


def upright(image: Image, value: int) -> Image:
    """`image`, (height, width, 3), turned and mirrored as EXIF orientation `value` asks."""
    if value >= 5:
        image = image.swapaxes(0, 1)
    if value in (2, 3, 6, 7):
        image = image[:, ::-1]
    if value in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)
