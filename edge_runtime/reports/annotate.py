"""The video with boxes, names, lines and running counts drawn in."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Protocol

from ..counting.session import FrameResult
from ..counting.totals import Totals
from ..errors import InputError, UnavailableError, UsageError
from ..outputs import check_apart
from ..sources import Source
from ..sources.opencv import is_text, load_cv2
from ..types import Image
from .drawing import Pen, counts_label

FALLBACK_FPS = 25.0

cv2 = load_cv2()


def draw(image: Image, counted: FrameResult, totals: Totals) -> None:
    """Draw on `image` what was found in it and what has been counted so far."""
    pen = Pen(image)
    pen.tracks(counted.tracks, totals.class_names)
    lines = zip(totals.line_ends, totals.lines(), strict=True)
    for (start, end), line in lines:
        ways = {line.in_name: line.crossed_in, line.out_name: line.crossed_out}
        label = counts_label(line.name, ways)
        pen.line(start, end, label)
    for corners, zone in zip(totals.zone_corners, totals.zones(), strict=True):
        pen.zone(corners, counts_label(zone.name, {"now": zone.now, "entered": zone.entered}))
    seen = ", ".join(f"{number} {name}" for name, number in totals.unique().items())
    pen.text(f"seen: {seen or 'nothing yet'}", (0, image.shape[0]), (60, 60, 60))


class HasTotals(Protocol):
    """What a video is drawn for."""

    @property
    def totals(self) -> Totals:
        """The totals so far."""
        ...


class AnnotatedVideo:
    """Writes frames to an .mp4 that appears at `path` when the block ends well.

    Raises:
        UsageError: `path` is no .mp4, its folder is missing, or it is the source itself.
        InputError: the folder may not be written to.
        UnavailableError: this OpenCV cannot write MPEG-4, or, at the end, the disk was full.
    """

    def __init__(self, path: Path, source: Source, counter: HasTotals) -> None:
        folder = path.resolve().parent
        if path.suffix.lower() != ".mp4" or path.is_dir() or not folder.is_dir():
            raise UsageError(
                f"no video can be written to {path}", "Give an .mp4 in a folder that exists"
            )
        if not is_text(folder / path.name):
            raise UsageError("the video's name holds bytes that are no text", "Give another name")
        check_apart({"source": source.name}, [path])
        if not os.access(folder, os.W_OK):
            raise InputError(
                path, "its folder cannot be written to", "Choose a folder that you can write to"
            )
        self._path = path
        self._partial = path.with_name(f".{path.stem}.part.mp4")
        self._counter = counter
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

    def add(self, counted: FrameResult) -> None:
        """Write one frame; the frame itself stays as it is."""
        image = counted.frame.image.copy()
        draw(image, counted, self._counter.totals)
        self._writer.write(image)
        self._frames += 1

    def _discard(self) -> None:
        with contextlib.suppress(OSError):
            self._partial.unlink(missing_ok=True)

    def __enter__(self) -> AnnotatedVideo:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._writer.release()
        if error is not None or not self._frames:
            self._discard()
            return
        if not self._is_whole():
            self._discard()
            raise UnavailableError(f"{self._path} could not be written", "Free some disk space")
        self._partial.replace(self._path)

    def _is_whole(self) -> bool:
        """Whether all frames arrived; OpenCV does not tell when the disk is full."""
        written = cv2.VideoCapture(str(self._partial))
        try:
            return int(written.get(cv2.CAP_PROP_FRAME_COUNT)) >= self._frames
        finally:
            written.release()
