"""Augmentation of a folder's images: scale, flip, mosaic, color."""

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
_SCALES = (0.4, 1.4)
_BORDERED = 0.25
_BLENDED = 0.4
_STRETCH = 0.25
_NARROWEST = 48


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
    """`count` augmented images, (count, side, side, 3) uint8 RGB.

    Of those that hold a whole image, a quarter show one with gray beyond it, as a detector sees it.
    The others are filled with parts of as many images as they need: a pixel of a border teaches
    nothing and costs as much as any other. Some are blends of two: a teacher answers for any image,
    and those are harder to learn by heart (Beyer et al., 2022).
    """
    batch = np.full((count, side, side, 3), _GRAY, np.uint8)
    for image in batch:
        _draw(image, images, random)
        if random.random() < _BLENDED:
            other = np.full_like(image, _GRAY)
            _draw(other, images, random)
            image[:] = _blend(image, other, random.uniform(0.1, 0.5))
        _recolor(image, random)
    return batch


def _draw(image: Image, images: Sequence[Image], random: np.random.Generator) -> None:
    if image.shape[0] >= _LONGEST and random.random() < _BORDERED:
        scaled = _scaled(images, random)
        _paste(scaled, image, *(_start(scaled, image, axis, random) for axis in (0, 1)))
    else:
        _fill(image, images, random)


def _blend(image: Image, other: Image, share: float) -> Image:
    import cv2

    return np.asarray(cv2.addWeighted(image, 1 - share, other, share, 0), np.uint8)


def _fill(target: Image, images: Sequence[Image], random: np.random.Generator) -> None:
    """Fill `target` with a part of an image at one of its corners, and what is left likewise."""
    scaled = _scaled(images, random)
    sides = target.shape[:2]
    used = [min(have, want) for have, want in zip(scaled.shape[:2], sides, strict=True)]
    (rows, below), (columns, beside) = (
        _split(want, part, at_end=random.random() < 0.5)
        for want, part in zip(sides, used, strict=True)
    )
    corner = target[rows, columns]
    _paste(scaled, corner, *(_start(scaled, corner, axis, random) for axis in (0, 1)))
    for left in (target[below], target[rows, beside]):
        if min(left.shape[:2]) >= _NARROWEST:
            _fill(left, images, random)


def _split(whole: int, part: int, *, at_end: bool) -> tuple[slice, slice]:
    """Where a part of a side lies, and the rest of the side."""
    if at_end:
        return slice(whole - part, whole), slice(0, whole - part)
    return slice(0, part), slice(part, whole)


def _scaled(images: Sequence[Image], random: np.random.Generator) -> Image:
    """A random image at a random scale."""
    import cv2

    source = images[int(random.integers(len(images)))]
    if random.random() < 0.5:
        source = source[:, ::-1]
    scale = float(np.exp(random.uniform(*np.log(_SCALES))))
    stretch = float(np.exp(random.uniform(-_STRETCH, _STRETCH)))
    height, width = source.shape[:2]
    size = [max(2, round(width * scale * stretch)), max(2, round(height * scale / stretch))]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(source), size, interpolation=how), np.uint8)


def _start(source: Image, target: Image, axis: int, random: np.random.Generator) -> int:
    """Where in `source` a random window of the size of `target` starts, below zero if larger."""
    spare = source.shape[axis] - target.shape[axis]
    return int(random.integers(min(0, spare), max(0, spare) + 1))


def _paste(source: Image, target: Image, top: int, left: int) -> None:
    """Show `source` from row `top` and column `left` on in `target`."""
    (into_rows, from_rows), (into_columns, from_columns) = (
        _overlap(start, have, want)
        for start, have, want in zip((top, left), source.shape[:2], target.shape[:2], strict=True)
    )
    target[into_rows, into_columns] = source[from_rows, from_columns]


def _overlap(start: int, have: int, want: int) -> tuple[slice, slice]:
    """Where `have` pixels, read from `start`, lie in a target of `want`, and which they are."""
    first, last = max(0, -start), min(want, have - start)
    return slice(first, last), slice(first + start, last + start)


def _recolor(image: Image, random: np.random.Generator) -> None:
    """Gain, offset and a tint, in place."""
    gain = random.uniform(0.7, 1.3) * random.uniform(0.95, 1.05, 3)
    offset = random.uniform(-20, 20)
    image[:] = np.clip(image * gain.astype(np.float32) + np.float32(offset), 0, 255)
