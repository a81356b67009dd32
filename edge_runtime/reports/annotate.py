"""The annotated video: boxes, names, regions and running counts drawn over each frame."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..counting.period_totals import Period
from ..counting.sinks import FrameResult
from ..errors import InputError, UnavailableError, UsageError
from ..outputs import check_apart
from ..sources import Source
from ..sources.opencv import is_text, load_cv2
from ..types import Image
from .drawing import Pen
from .labels import counts_label

FALLBACK_FPS = 25.0

cv2 = load_cv2()


def draw(image: Image, result: FrameResult) -> None:
    """Draw on `image` the tracks of the frame, the regions, and the counts so far."""
    pen, totals = Pen(image), result.totals
    pen.tracks(result.tracks, totals.class_names)
    for placed, report in zip(totals.placed, totals.regions(), strict=True):
        label = counts_label(placed.name, report.counts())
        pen.region(placed.region.shape, placed.points, label)
    for name, points in totals.only.zones:
        pen.ignored(points, name)
    objects = ", ".join(f"{number} {name}" for name, number in totals.unique().items())
    pen.text(f"unique: {objects or 'none yet'}", (0, image.shape[0]), (60, 60, 60))


class AnnotatedVideo:
    """Writes annotated frames to an .mp4 that appears at `path` when it is closed; see `Sink`.

    As a context manager it discards the video if the block ends with an error.

    Raises:
        UsageError: `path` is not an .mp4, its folder is missing, or it is the source itself.
        InputError: the folder cannot be written to.
        UnavailableError: this OpenCV cannot write MPEG-4, or, at the end, the disk was full.
    """

    def __init__(self, path: Path, source: Source) -> None:
        folder = path.resolve().parent
        if path.suffix.lower() != ".mp4" or path.is_dir() or not folder.is_dir():
            raise UsageError(
                f"no video can be written to {path}", "Use an .mp4 in a folder that exists"
            )
        if not is_text(folder / path.name):
            raise UsageError("the name of the video is not valid text", "Use another name")
        check_apart({"source": source.name}, [path])
        if not os.access(folder, os.W_OK):
            raise InputError(
                path, "its folder cannot be written to", "Choose a folder that you can write to"
            )
        self._path = path
        self._partial = path.with_name(f".{path.stem}.part.mp4")
        self._closed = False
        self._frames = 0
        self._writer = cv2.VideoWriter(
            str(self._partial),
            cv2.VideoWriter.fourcc(*"mp4v"),
            source.fps or FALLBACK_FPS,
            source.size,
        )
        if not self._writer.isOpened():
            self._discard()
            raise UnavailableError(
                f"OpenCV cannot write {path}", "Install opencv-python from PyPI, with its FFmpeg"
            )

    def frame(self, result: FrameResult) -> None:
        """Write one frame; the frame itself is not changed."""
        if result.frame.image is None:
            return
        image = result.frame.image.copy()
        draw(image, result)
        self._writer.write(image)
        self._frames += 1

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Nothing: the video of a resumed count starts where it resumes."""

    def period(self, period: Period) -> None:
        """Nothing: the next frame shows the totals after the reset."""

    def save(self) -> dict[str, Any]:
        """Nothing: a video cannot be continued."""
        return {}

    def close(self) -> None:
        """Move the video to its path; only the first call has an effect."""
        self._finish(discard=False)

    def _finish(self, *, discard: bool) -> None:
        if self._closed:
            return
        self._closed = True
        self._writer.release()
        if discard or not self._frames:
            self._discard()
        elif not self._is_whole():
            self._discard()
            raise UnavailableError(f"{self._path} could not be written", "Free some disk space")
        else:
            self._partial.replace(self._path)

    def _discard(self) -> None:
        with contextlib.suppress(OSError):
            self._partial.unlink(missing_ok=True)

    def __enter__(self) -> AnnotatedVideo:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._finish(discard=error is not None)

    def _is_whole(self) -> bool:
        """Whether all frames were written; OpenCV does not report a full disk."""
        written = cv2.VideoCapture(str(self._partial))
        try:
            return int(written.get(cv2.CAP_PROP_FRAME_COUNT)) >= self._frames
        finally:
            written.release()
