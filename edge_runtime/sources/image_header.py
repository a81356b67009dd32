"""The size of an image from its header, to refuse decompression bombs before decoding."""

from __future__ import annotations

from typing import Literal

from .heif import heif_size, is_heif

# JPEG start-of-frame markers; C4, C8 and CC in the same block mean something else.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})


def image_size(content: bytes) -> tuple[int, int] | None:
    """(height, width) in pixels of JPEG, PNG, WebP, BMP, TIFF, HEIC or AVIF bytes; None for others.

    It is the size that the header claims, before rotation by EXIF.
    """
    if content.startswith(b"\xff\xd8"):
        return _jpeg(content)
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:
        return _big(content, 20, 4), _big(content, 16, 4)
    if content.startswith(b"BM") and len(content) >= 26:
        return _bmp(content)
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP" and len(content) >= 30:
        return _webp(content)
    if content.startswith((b"II*\0", b"MM\0*")) and len(content) >= 8:
        return _tiff(content, "little" if content.startswith(b"II") else "big")
    return heif_size(content) if is_heif(content) else None


def _big(content: bytes, start: int, count: int) -> int:
    return int.from_bytes(content[start : start + count], "big")


def _little(content: bytes, start: int, count: int) -> int:
    return int.from_bytes(content[start : start + count], "little")


def _jpeg(content: bytes) -> tuple[int, int] | None:
    """Size of a JPEG: walks the segments up to the frame header."""
    position = 2
    while position + 9 <= len(content):
        if content[position] != 0xFF:
            return None
        marker = content[position + 1]
        if marker == 0xFF:
            position += 1
        elif marker in _JPEG_STANDALONE:
            position += 2
        elif marker in _JPEG_FRAMES:
            return _big(content, position + 5, 2), _big(content, position + 7, 2)
        else:
            position += 2 + max(_big(content, position + 2, 2), 2)
    return None


def _bmp(content: bytes) -> tuple[int, int] | None:
    if _little(content, 14, 4) == 12:
        return _little(content, 20, 2), _little(content, 18, 2)
    width = int.from_bytes(content[18:22], "little", signed=True)
    height = int.from_bytes(content[22:26], "little", signed=True)
    return abs(height), abs(width)


def _webp(content: bytes) -> tuple[int, int] | None:
    kind = content[12:16]
    if kind == b"VP8X":
        return _little(content, 27, 3) + 1, _little(content, 24, 3) + 1
    if kind == b"VP8L":
        bits = _little(content, 21, 4)
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    if kind == b"VP8 ":
        return _little(content, 28, 2) & 0x3FFF, _little(content, 26, 2) & 0x3FFF
    return None


def _tiff(content: bytes, order: Literal["little", "big"]) -> tuple[int, int] | None:
    """Size of the first image of a TIFF: the values of the tags 257 and 256."""

    def number(start: int, count: int) -> int:
        return int.from_bytes(content[start : start + count], order)

    directory, sizes = number(4, 4), dict[int, int]()
    for index in range(number(directory, 2)):
        entry = directory + 2 + 12 * index
        if entry + 12 > len(content):
            return None
        # The value is a SHORT (3) or a LONG (4).
        sizes[number(entry, 2)] = number(entry + 8, 2 if number(entry + 2, 2) == 3 else 4)
    if 256 not in sizes or 257 not in sizes:
        return None
    return sizes[257], sizes[256]
