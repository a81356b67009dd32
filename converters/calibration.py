"""A folder of images as input for calibration: chosen, bounded, letterboxed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..edge_runtime.errors import InputError, MissingExtraError
from ..edge_runtime.types import Image
from .image_header import image_size

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
MAX_IMAGE_BYTES = 64 << 20
MAX_IMAGE_PIXELS = 100_000_000
MAX_IMAGE_FILES = 1_000_000
DEFAULT_IMAGES = 100
GREY = 114


class CalibrationWarning(UserWarning):
    """An image was left out of the calibration."""


def list_images(folder: Path) -> list[Path]:
    """The images directly in `folder`, sorted by name.

    Raises:
        InputError: no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise InputError(folder, "is not a folder", "Give a folder that holds images")
    names = (path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    images = sorted(path for path, _ in zip(names, range(MAX_IMAGE_FILES), strict=False))
    if not images:
        raise InputError(
            folder,
            "holds no image",
            "Give a folder with jpg, png, webp or bmp files directly in it",
        )
    return images


def read_image(path: Path) -> Image:
    """Decode one image to (height, width, 3) uint8 BGR, rotated as its EXIF data says.

    Raises:
        InputError: missing, larger than 64 MiB or 100 megapixels, or not an image.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_IMAGE_BYTES else b""
    except OSError as error:
        raise _unusable(path, f"cannot be read ({error.strerror})") from error
    if size > MAX_IMAGE_BYTES:
        raise _unusable(path, f"is larger than {MAX_IMAGE_BYTES >> 20} MiB")
    height_width = image_size(content)
    if height_width is None:
        raise _unusable(path, "is not a jpg, png, webp or bmp image")
    if not 0 < height_width[0] * height_width[1] <= MAX_IMAGE_PIXELS:
        raise _unusable(path, f"is empty or has more than {MAX_IMAGE_PIXELS} pixels")
    return _decode(path, content)


def _decode(path: Path, content: bytes) -> Image:
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError("opencv-python", "convert", "Reading images") from error
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise _unusable(path, "is a damaged image") from error
    if image is None:
        raise _unusable(path, "is a damaged image")
    return np.asarray(image, np.uint8)


def _unusable(path: Path, problem: str) -> InputError:
    return InputError(path, problem, "Remove or replace this file")


def letterbox(image: Image, size: tuple[int, int]) -> Image:
    """Fit a (h, w, 3) BGR image into (height, width), centred on grey; (height, width, 3) RGB."""
    import cv2

    height, width = size
    gain = min(width / image.shape[1], height / image.shape[0])
    new_width = max(1, round(image.shape[1] * gain))
    new_height = max(1, round(image.shape[0] * gain))
    # The 0.1 decides for the smaller border on the left and top when the rest is odd.
    left = max(0, round((width - new_width) / 2 - 0.1))
    top = max(0, round((height - new_height) / 2 - 0.1))
    canvas = np.full((height, width, 3), GREY, np.uint8)
    canvas[top : top + new_height, left : left + new_width] = cv2.resize(
        image, (new_width, new_height), interpolation=cv2.INTER_LINEAR
    )[..., ::-1]
    return canvas


def calibration_images(
    folder: Path, size: tuple[int, int], limit: int = DEFAULT_IMAGES
) -> Iterator[Image]:
    """Up to `limit` letterboxed images, (height, width, 3) uint8 RGB, evenly spaced by name.

    Unusable images are left out with a CalibrationWarning.

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
        yield letterbox(image, size)
    if not used:
        raise InputError(
            folder, "none of its images can be read", "Give a folder with sound images"
        )


def evenly_spaced(paths: list[Path], limit: int) -> list[Path]:
    """At most `limit` of `paths`, spread over the whole list, the first one included."""
    if len(paths) <= limit:
        return paths
    return [paths[index * len(paths) // limit] for index in range(limit)]
