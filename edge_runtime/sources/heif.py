"""HEIC and AVIF images, decoded by Pillow and pillow-heif (the optional extra `heif`).

OpenCV's wheels decode neither.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterator

import numpy as np

from ..errors import MissingExtraError
from ..types import Image

SUFFIXES = frozenset({".heic", ".heif", ".hif", ".avif"})
EXTRA = "heif"
_AVIF = frozenset({b"avif", b"avis"})
_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_FIRST_BRAND, _MAX_BRANDS = 16, 32
# The boxes around `ispe` (image spatial extents), with the bytes before their content.
_PATH = ((b"meta", 4), (b"iprp", 0), (b"ipco", 0))


def is_heif(content: bytes) -> bool:
    """Whether these are the bytes of a HEIC or AVIF image, by the brands of the container."""
    return bool(_brands(content) & (_AVIF | _HEIC))


def heif_size(content: bytes) -> tuple[int, int] | None:
    """(height, width) of the largest image in HEIC or AVIF bytes, before rotation; None without."""
    start, end = 0, len(content)
    for name, header in _PATH:
        found = next((box for box in _boxes(content, start, end) if box[0] == name), None)
        if found is None:
            return None
        start, end = found[1] + header, found[2]
    sizes = [
        (_number(content, at + 8), _number(content, at + 4))
        for name, at, _ in _boxes(content, start, end)
        if name == b"ispe"
    ]
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def need_heif() -> None:
    """Raise MissingExtraError unless Pillow and pillow-heif are installed."""
    for module, package in (("PIL", "pillow"), ("pillow_heif", "pillow-heif")):
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(package, EXTRA, "reading HEIC and AVIF images")


def decode_heif(content: bytes, max_pixels: int) -> Image | None:
    """The main image as contiguous (height, width, 3) uint8 BGR, upright; None if damaged.

    Raises:
        MissingExtraError: the extra `heif` is not installed.
    """
    need_heif()
    import pillow_heif
    from PIL import Image as Pillow
    from PIL import ImageOps

    pillow_heif.register_heif_opener(thumbnails=False)
    try:
        with Pillow.open(io.BytesIO(content), formats=("HEIF", "AVIF")) as opened:
            if opened.width * opened.height > max_pixels:
                return None
            rgb = np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
    # The decoders raise errors of many kinds at damaged files.
    except (
        OSError,
        ValueError,
        SyntaxError,
        RuntimeError,
        EOFError,
        MemoryError,
        Pillow.DecompressionBombError,
    ):
        return None
    return np.ascontiguousarray(rgb[:, :, ::-1])


def _brands(content: bytes) -> set[bytes]:
    if content[4:8] != b"ftyp":
        return set()
    end = min(_number(content, 0), len(content), _FIRST_BRAND + 4 * _MAX_BRANDS)
    compatible = {content[at : at + 4] for at in range(_FIRST_BRAND, end, 4)}
    return {content[8:12], *compatible}


def _boxes(content: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, start of the content, end) of the boxes between two positions."""
    while start + 8 <= end:
        size, name, header = _number(content, start), content[start + 4 : start + 8], 8
        if size == 1:
            size, header = int.from_bytes(content[start + 8 : start + 16], "big"), 16
        stop = end if size == 0 else start + size
        if stop < start + header or stop > end:
            return
        yield name, start + header, stop
        start = stop


def _number(content: bytes, start: int) -> int:
    return int.from_bytes(content[start : start + 4], "big")
