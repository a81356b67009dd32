"""Opens a source of any kind by its name."""

from __future__ import annotations

import glob
import math
import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import SourceError, UsageError
from ..types import Image
from .images import SUFFIXES, open_images
from .iterable import open_iterable
from .live import LiveOptions
from .source import Source
from .stream import is_youtube, open_camera, open_url
from .video import open_video

REMEDY = "Give a video, a folder or pattern of images, a camera number, or an rtsp or http URL"

SourceSpec = str | int | os.PathLike[str] | Iterable[tuple[int, Image]]
"""The types of source that `open_source` accepts."""


def open_source(
    spec: SourceSpec, *, image_fps: float = 1.0, start: int = 0, live: LiveOptions | None = None
) -> Source:
    """Open a source.

    Args:
        spec: a video file; a folder, glob or file of images; a camera number (0 or "0"); an
            rtsp, rtsps, http or https URL; or any iterable of (timestamp in ns, BGR image).
        image_fps: images per second, for images only.
        start: number of frames to skip; ignored for live sources.
        live: options of live sources.

    Raises:
        SourceError: nothing found, or no frames can be read.
        UnavailableError: no such camera.
        NetworkError: the URL does not answer.
        UsageError: `image_fps` is not above zero, the camera number is negative, or `spec` is of
            no such type.
    """
    if not (math.isfinite(image_fps) and image_fps > 0):
        raise UsageError(f"image_fps is {image_fps}", "Give a number above 0")
    if isinstance(spec, int) and not isinstance(spec, bool):
        return _camera(spec, live)
    if isinstance(spec, str | os.PathLike):
        return _open_named(os.fspath(spec), image_fps, start, live)
    if not isinstance(spec, Iterable):
        raise UsageError(f"the source is {spec!r}"[:200], REMEDY)
    return open_iterable(spec, start)


def _open_named(spec: str, image_fps: float, start: int, live: LiveOptions | None) -> Source:
    if not spec.strip():
        raise SourceError("the source", "its name is empty", REMEDY)
    if "://" in spec:
        return open_url(spec, live, start)
    path = Path(spec)
    try:
        found, images = path.exists(), path.is_dir() or path.suffix.lower() in SUFFIXES
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise SourceError(spec, reason, "Check the path and its permissions") from error
    if found:
        if images:
            return open_images(spec, image_fps=image_fps, start=start)
        return open_video(path, start)
    if spec.isascii() and spec.isdigit():
        return _camera(int(spec), live)
    if glob.has_magic(spec):
        return open_images(spec, image_fps=image_fps, start=start)
    if is_youtube(spec.partition("/")[0]):
        return open_url(f"https://{spec}", live, start)
    if spec == "-":
        raise SourceError(spec, "standard input is not read", "Write the video to a file first")
    raise SourceError(spec, "no such file or folder", REMEDY)


def _camera(index: int, live: LiveOptions | None) -> Source:
    if not 0 <= index < 1000:
        raise UsageError(f"the camera number is {index}", "Give 0 for the first camera")
    return open_camera(index, live)
