"""Augmentation of a folder's images: crop, scale, flip, mosaic, color."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...edge_runtime.errors import InputError
from ...edge_runtime.sources.images import read_image
from ...edge_runtime.types import Image
from ..calibration import CalibrationWarning, evenly_spaced, list_images

MAX_IMAGES = 1000
_LONGEST = 640
_GRAY = 114


def read_folder(folder: Path) -> list[Image]:
    """Up to 1000 images, (h, w, 3) uint8 RGB, none longer than 640 pixels.

    Unusable ones are skipped with a CalibrationWarning.

    Raises:
        InputError: fewer than two images in `folder` can be used.
    """
    found = []
    for path in evenly_spaced(list_images(folder), MAX_IMAGES):
        try:
            found.append(_bounded(read_image(path)))
        except InputError as error:
            warnings.warn(f"left out: {error}", CalibrationWarning, stacklevel=2)
    if len(found) < 2:
        raise InputError(
            folder,
            f"recovery needs at least two readable images, found {len(found)}",
            "Give a folder of about a hundred images from the camera's view",
        )
    return found


def _bounded(image: Image) -> Image:
    import cv2

    shrink = _LONGEST / max(image.shape[:2])
    if shrink < 1:
        size = [max(1, round(side * shrink)) for side in image.shape[1::-1]]
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.ascontiguousarray(image[:, :, ::-1])


def make_batch(
    images: Sequence[Image], count: int, side: int, random: np.random.Generator
) -> Image:
    """`count` augmented images, (count, side, side, 3) uint8 RGB; half of them mosaics."""
    batch = np.full((count, side, side, 3), _GRAY, np.uint8)
    for image in batch:
        if random.random() < 0.5:
            _paste(image, images, random)
        else:
            down, across = random.integers(side // 4, 3 * side // 4, 2)
            for rows in (slice(0, down), slice(down, side)):
                for columns in (slice(0, across), slice(across, side)):
                    _paste(image[rows, columns], images, random)
        _recolor(image, random)
    return batch


def _paste(target: Image, images: Sequence[Image], random: np.random.Generator) -> None:
    """Fill `target` with a random part of a random image at a random scale, gray beyond it."""
    import cv2

    source = images[int(random.integers(len(images)))]
    if random.random() < 0.5:
        source = source[:, ::-1]
    scale = float(np.exp(random.uniform(np.log(0.4), np.log(1.4))))
    size = [max(2, round(side * scale)) for side in source.shape[1::-1]]
    scaled = cv2.resize(np.ascontiguousarray(source), size, interpolation=cv2.INTER_LINEAR)
    starts = [
        int(random.integers(min(0, have - want), max(0, have - want) + 1))
        for have, want in zip(scaled.shape[:2], target.shape[:2], strict=True)
    ]
    (into_rows, from_rows), (into_columns, from_columns) = (
        _overlap(start, have, want)
        for start, have, want in zip(starts, scaled.shape[:2], target.shape[:2], strict=True)
    )
    target[into_rows, into_columns] = scaled[from_rows, from_columns]


def _overlap(start: int, have: int, want: int) -> tuple[slice, slice]:
    """Where `have` pixels, read from `start`, lie in a target of `want`, and which they are."""
    first, last = max(0, -start), min(want, have - start)
    return slice(first, last), slice(first + start, last + start)


def _recolor(image: Image, random: np.random.Generator) -> None:
    """Gain, offset and a tint, in place."""
    gain = random.uniform(0.7, 1.3) * random.uniform(0.95, 1.05, 3)
    offset = random.uniform(-20, 20)
    image[:] = np.clip(image * gain.astype(np.float32) + np.float32(offset), 0, 255)
