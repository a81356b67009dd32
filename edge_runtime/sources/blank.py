"""Finds frames of one color, which a decoder gives that does not support the video."""

from __future__ import annotations

import numpy as np

from ..types import Frame, Image, PlanarFrame

# A black leader is shorter than this, or is worth saying.
REPORTED_NS = 1_000_000_000
STEP = 16


class BlankFrames:
    """Watches the frames of one source for a second or more of one color.

    Args:
        unchanged: also report frames that equal the first one. An OpenCV that fails at interlaced
            video gives whatever was in memory before, again and again.
    """

    def __init__(self, *, unchanged: bool = False) -> None:
        self._first: Image | None = None
        self._unchanged = unchanged
        self._since_ns: int | None = None
        self._was_blank = False
        self._longest_ns = 0
        self._at_ns = 0

    def see(self, frame: Frame) -> None:
        """Look at the next frame, in capture order."""
        blank, unchanged = _is_blank_frame(frame), self._is_unchanged(frame)
        if not (blank or unchanged):
            self._since_ns = None
            return
        if self._since_ns is None or blank is not self._was_blank:
            self._since_ns, self._was_blank = frame.timestamp_ns, blank
        length_ns = frame.timestamp_ns - self._since_ns
        if length_ns > self._longest_ns:
            self._longest_ns, self._at_ns = length_ns, self._since_ns

    def _is_unchanged(self, frame: Frame) -> bool:
        if not self._unchanged:
            return False
        image = frame.image
        if self._first is None:
            self._first = image
            return True
        self._unchanged = bool(
            (image[::STEP, ::STEP] == self._first[::STEP, ::STEP]).all()
            and np.array_equal(image, self._first)
        )
        return self._unchanged

    def warning(self) -> str | None:
        """The sentence for the report, None if there is nothing to say."""
        if self._longest_ns < REPORTED_NS:
            return None
        start_s, end_s = self._at_ns / 1e9, (self._at_ns + self._longest_ns) / 1e9
        return (
            f"frames are blank from {start_s:.1f} to {end_s:.1f} s: the decoder may "
            "not support this video, or the camera is covered; `tallylens doctor` checks the "
            "decoder"
        )


def is_blank(image: Image) -> bool:
    """Whether all pixels are equal; a few of them decide for most frames."""
    first = image[0, 0]
    return bool((image[::STEP, ::STEP] == first).all() and (image == first).all())


def _is_blank_frame(frame: Frame) -> bool:
    if isinstance(frame, PlanarFrame):
        planes = frame.planes
        return all(is_blank(plane) for plane in (planes.y, planes.u, planes.v))
    return is_blank(frame.image)
