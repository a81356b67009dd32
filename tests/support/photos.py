"""Photos in the formats and orientations of phones, cameras and scanners, written by Pillow."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tallylens.edge_runtime.types import Image

EXIF_FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "tif": "TIFF"}


def stored(image: Image, value: int) -> Image:
    """The stored form of the upright `image` for EXIF orientation `value`, by TIFF 6.0: which
    sides of the upright image the first row and the first column of the stored one are.
    """
    inverse = {
        1: image,
        2: image[:, ::-1],
        3: image[::-1, ::-1],
        4: image[::-1],
        5: np.transpose(image, (1, 0, 2)),
        6: np.rot90(image, 1),
        7: np.transpose(image[::-1, ::-1], (1, 0, 2)),
        8: np.rot90(image, -1),
    }
    return np.ascontiguousarray(inverse[value])


def write(path: Path, image: Image, value: int = 1) -> Path:
    """`image` by Pillow, in the format of the suffix, with EXIF orientation `value`."""
    pillow: Any = pytest.importorskip("PIL.Image")
    if path.suffix == ".heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    exif = pillow.Exif()
    exif[0x0112] = value
    kind = {"heic": "HEIF", "avif": "AVIF", **EXIF_FORMATS}[path.suffix[1:]]
    options: dict[str, Any] = {"tiffinfo": {274: value}} if kind == "TIFF" else {"exif": exif}
    content = io.BytesIO()
    pillow.fromarray(image[:, :, ::-1]).save(content, kind, quality=95, **options)
    path.write_bytes(content.getvalue())
    return path
