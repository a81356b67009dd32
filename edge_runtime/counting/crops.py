"""Cropped images of the objects that events are about, one JPEG per event."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..files import write_failure
from ..types import Event, FloatArray, Image
from .period_totals import Period
from .sinks import FrameResult

MARGIN = 0.1  # of the box, on each side
JPEG_QUALITY = 90


class CropFolder:
    """Writes the object of each event, as it is in the event's frame; see `Sink`.

    Args:
        folder: made where it does not exist.

    Raises:
        InputError: in `restore`, where the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Make the folder; images of an earlier run stay."""
        del saved
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                self._folder,
                error.strerror or "cannot be made",
                "Use a folder that you can write to",
            ) from error

    def frame(self, result: FrameResult) -> None:
        """Write the objects of the frame's events."""
        for event in result.events:
            image = _object_of(result, event)
            if image is not None:
                _write_jpeg(self._folder / _file_name(result, event), image)

    def name_of(self, result: FrameResult, event: Event) -> str | None:
        """The name of the event's file; None if the object is not in the frame."""
        return None if _object_of(result, event) is None else _file_name(result, event)

    def period(self, period: Period) -> None:
        """Nothing: a period has no image."""

    def save(self) -> dict[str, Any]:
        """Nothing: every file is whole."""
        return {}

    def close(self) -> None:
        """Nothing is open."""


def _file_name(result: FrameResult, event: Event) -> str:
    return f"{result.frame.index:08d}-{event.track_id}-{event.kind}-{event.place + 1}.jpg"


def _object_of(result: FrameResult, event: Event) -> Image | None:
    rows = np.flatnonzero(result.tracks.track_id == event.track_id)
    image = result.frame.image if len(rows) else None
    if image is None:
        return None
    return crop(image, result.tracks.xyxy[rows[0]])


def crop(image: Image, xyxy: FloatArray) -> Image | None:
    """The box with a margin, as far as it is in the image; None if it is outside."""
    x1, y1, x2, y2 = (float(side) for side in xyxy)
    dx, dy = MARGIN * (x2 - x1), MARGIN * (y2 - y1)
    height, width = image.shape[:2]
    left, right = max(0, round(x1 - dx)), min(width, round(x2 + dx))
    top, bottom = max(0, round(y1 - dy)), min(height, round(y2 + dy))
    return image[top:bottom, left:right] if left < right and top < bottom else None


def _write_jpeg(path: Path, image: Image) -> None:
    from ..sources.opencv import load_cv2

    cv2 = load_cv2()
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    partial = path.with_suffix(".part")
    try:
        partial.write_bytes(data.tobytes())
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise write_failure(path, error) from error
