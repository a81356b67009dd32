"""Image sources: the files of a folder or glob as frames, in natural order."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError, MissingExtraError, SourceError
from ..types import Frame, Image
from . import heif
from .exif import upright, webp_orientation
from .image_header import image_size
from .opencv import MAX_PIXELS, load_cv2
from .prefetch import Prefetch
from .source import Source

SUFFIXES = heif.SUFFIXES | {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
MAX_FILES = 1_000_000
MAX_FILE_BYTES = 256 << 20
# Further unreadable images are reported as one number.
MAX_WARNINGS = 20
ONE_IMAGE = "one image is too short for tracking: count the objects of photos with --stills"
GIVE_IMAGES = "Give a folder or pattern of jpg, png, webp, tiff, bmp, heic or avif files"


def open_images(spec: str | os.PathLike[str], *, image_fps: float = 1.0, start: int = 0) -> Source:
    """The images of a folder (not those of its subfolders), a glob or a single file.

    They come in natural order (frame2 before frame10), `1 / image_fps` seconds apart, from number
    `start` on. An image that cannot be read is skipped with a warning; the times of the others do
    not change.

    Raises:
        SourceError: no images, or none that can be read.
    """
    paths = find_images(spec, or_video=True)
    warnings: list[str] = []
    reader = ImageReader(paths, image_fps, warnings)
    first = reader.first()
    if first is None:
        raise none_read(spec, paths, warnings)
    if len(paths) == 1:
        warnings.append(ONE_IMAGE)
    height, width = first.image.shape[:2]
    if start:
        reader = ImageReader(paths, image_fps, warnings, start)
    return Source(
        Prefetch(reader, warnings),
        name=os.fspath(spec),
        size=(width, height),
        frames_total=len(paths),
        fps=image_fps,
        warnings=warnings,
    )


def none_read(
    spec: str | os.PathLike[str], paths: Sequence[Path], warnings: Sequence[str]
) -> SourceError:
    """The error for images of which none can be read; for a file that was named it says why."""
    if list(paths) != [Path(spec)]:
        return SourceError(spec, f"none of its {len(paths)} images can be read", GIVE_IMAGES)
    reason = warnings[0].removeprefix(f"skipped {paths[0]}: ")
    return SourceError(spec, reason, GIVE_IMAGES)


def find_images(spec: str | os.PathLike[str], *, or_video: bool = False) -> list[Path]:
    """The image files that `spec` names, in natural order.

    Args:
        spec: a folder, a glob or a file.
        or_video: a video would do as well; where there are no images, the error names a file.

    Raises:
        SourceError: no images.
        MissingExtraError: HEIC or AVIF images without the extra `heif`.
    """
    images = _image_files(spec, or_video)
    if any(one.suffix.lower() in heif.SUFFIXES for one in images):
        heif.need_heif()
    return images


def _image_files(spec: str | os.PathLike[str], or_video: bool) -> list[Path]:
    path = Path(spec)
    if path.is_file():
        return [path]
    # Path.glob does not accept absolute patterns.
    matches = glob.iglob(str(spec), recursive=True)  # noqa: PTH207
    found = path.iterdir() if path.is_dir() else map(Path, matches)
    images: list[Path] = []
    other: Path | None = None
    try:
        for one in found:
            if one.suffix.lower() in SUFFIXES and one.is_file():
                images.append(one)
            elif or_video and one.is_file():
                other = one if other is None else min(one, other)
    except OSError as error:
        raise SourceError(spec, error.strerror or "cannot be listed", GIVE_IMAGES) from error
    if not images:
        remedy = GIVE_IMAGES if other is None else f"{GIVE_IMAGES}, or one file, such as {other}"
        raise SourceError(spec, "no images found", remedy)
    if len(images) > MAX_FILES:
        raise SourceError(spec, f"more than {MAX_FILES} images", "Split them into several folders")
    return sorted(images, key=natural_key)


def natural_key(path: Path) -> list[str | int]:
    """Sort key that compares numbers inside names by value."""
    parts = re.split(r"(\d+)", str(path).casefold())
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]


def read_image(path: Path) -> Image:
    """Decode one image to contiguous (height, width, 3) uint8 BGR, rotated by its EXIF data.

    Raises:
        InputError: unreadable, not an image, or above 256 MiB or 100 megapixels.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error.strerror or "cannot be read") from error
    size = image_size(content)
    if size is None:
        raise _unreadable(path, "not an image")
    if len(content) > MAX_FILE_BYTES or size[0] * size[1] > MAX_PIXELS:
        raise _unreadable(
            path,
            f"{size[1]}x{size[0]} pixels exceed the limit of {MAX_PIXELS // 1_000_000} megapixels",
        )
    try:
        image = _decode(content)
    except MissingExtraError as error:
        raise InputError(path, str(error), GIVE_IMAGES) from error
    if image is None:
        raise _unreadable(path, "damaged image")
    return image


def _decode(content: bytes) -> Image | None:
    """The image in bytes of one of the formats that `image_size` knows; None if damaged."""
    if heif.is_heif(content):
        return heif.decode_heif(content, MAX_PIXELS)
    cv2 = load_cv2()
    is_webp, flags = content[8:12] == b"WEBP", cv2.IMREAD_COLOR
    if is_webp:
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:
        return None
    if image is not None and is_webp:
        image = upright(image, webp_orientation(content))
    return None if image is None else np.ascontiguousarray(image, np.uint8)


def _unreadable(path: Path, problem: str) -> InputError:
    return InputError(path, problem, GIVE_IMAGES)


class ImageReader:
    """Reads images in order; see `Reader`."""

    dropped = 0

    def __init__(
        self, paths: Sequence[Path], fps: float, warnings: list[str], start: int = 0
    ) -> None:
        self._pending = enumerate(paths[start:], start)
        self._fps = fps
        self._warnings = warnings
        self._unreadable = 0
        self._first: Frame | None = None

    def first(self) -> Frame | None:
        """The first image that can be read; `read` returns it again."""
        self._first = self.read()
        return self._first

    def read(self) -> Frame | None:
        """The next image that can be read; None after the last."""
        if self._first is not None:
            frame, self._first = self._first, None
            return frame
        for index, path in self._pending:
            try:
                image = read_image(path)
            except InputError as error:
                self._warn(error)
                continue
            return Frame(image, round(index * 1e9 / self._fps), index)
        self._report()
        return None

    def close(self) -> None:
        """Nothing to close: no file stays open between images."""

    def _warn(self, error: InputError) -> None:
        self._unreadable += 1
        if self._unreadable <= MAX_WARNINGS:
            self._warnings.append(f"skipped {error.problem}")

    def _report(self) -> None:
        more = self._unreadable - MAX_WARNINGS
        if more > 0:
            self._warnings.append(f"skipped {more} more images that could not be read")
            self._unreadable = 0
