"""Calibration images: chosen from a folder, bounded, letterboxed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..edge_runtime.core import Preprocessor
from ..edge_runtime.errors import InputError, TallyLensWarning
from ..edge_runtime.sources.images import find_images, read_image
from ..edge_runtime.types import Image

DEFAULT_IMAGES = 128


class CalibrationWarning(TallyLensWarning):
    """An image was skipped because it cannot be read."""


def list_images(folder: Path) -> list[Path]:
    """The images directly in `folder`, in natural order.

    Raises:
        InputError: no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise InputError(folder, "is not a folder", "Give a folder that holds images")
    return find_images(folder)


def calibration_images(
    folder: Path, size: tuple[int, int], limit: int = DEFAULT_IMAGES
) -> Iterator[Image]:
    """Up to `limit` letterboxed images, (height, width, 3) uint8 RGB, evenly spaced by name.

    Unusable images are skipped with a CalibrationWarning.

    Raises:
        InputError: no image in `folder` can be used.
    """
    used = 0
    for path in evenly_spaced(list_images(folder), limit):
        try:
            image = read_image(path)
        except InputError as error:
            warnings.warn(f"left out: {error}", CalibrationWarning, stacklevel=2)
            continue
        used += 1
        yield letterboxed(image, size)
    if not used:
        raise InputError(folder, "none of its images can be read", "Give a folder of intact images")


def letterboxed(image: Image, size: tuple[int, int]) -> Image:
    """A (h, w, 3) uint8 BGR image as an input of `size`, (height, width, 3) uint8 RGB."""
    boxed = np.empty((1, *size, 3), np.uint8)
    Preprocessor().run(image, boxed, layout="NHWC")
    whole: Image = boxed[0]
    return whole


def evenly_spaced(paths: list[Path], limit: int) -> list[Path]:
    """At most `limit` of `paths`, spread over the whole list, the first one included."""
    if len(paths) <= limit:
        return paths
    return [paths[index * len(paths) // limit] for index in range(limit)]
