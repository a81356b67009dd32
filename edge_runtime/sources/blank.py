"""Finds frames of one color, which a decoder gives that does not support the video."""

from __future__ import annotations

from ..types import Frame

# A black leader is shorter than this, or is worth saying.
REPORTED_NS = 1_000_000_000
STEP = 16


class BlankFrames:
    """Watches the frames of one source for a second or more of one color."""

    def __init__(self) -> None:
        self._since_ns: int | None = None
        self._longest_ns = 0
        self._at_ns = 0

    def see(self, frame: Frame) -> None:
        """Look at the next frame, in capture order."""
        if not is_blank(frame):
            self._since_ns = None
            return
        if self._since_ns is None:
            self._since_ns = frame.timestamp_ns
        length_ns = frame.timestamp_ns - self._since_ns
        if length_ns > self._longest_ns:
            self._longest_ns, self._at_ns = length_ns, self._since_ns

    def warning(self) -> str | None:
        """The sentence for the report, None if there is nothing to say."""
        if self._longest_ns < REPORTED_NS:
            return None
        start_s, end_s = self._at_ns / 1e9, (self._at_ns + self._longest_ns) / 1e9
        return (
            f"frames are blank (one color) from {start_s:.1f} to {end_s:.1f} s: the decoder may "
            "not support this video, or the camera is covered; `tallylens doctor` checks the "
            "decoder"
        )


def is_blank(frame: Frame) -> bool:
    """Whether all pixels are equal; a few of them decide for most frames."""
    image = frame.image
    first = image[0, 0]
    return bool((image[::STEP, ::STEP] == first).all() and (image == first).all())
