"""The one frame of a source on which lines and zones are drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tallylens.edge_runtime.errors import SourceError, UsageError
from tallylens.edge_runtime.sources import open_source
from tallylens.edge_runtime.sources.opencv import load_cv2
from tallylens.edge_runtime.sources.recorded import is_recorded
from tallylens.edge_runtime.types import Image

JPEG_QUALITY = 90


@dataclass(frozen=True)
class PickedFrame:
    """One frame of a source.

    Attributes:
        source: name of the source, without passwords.
        at_s: capture time in seconds after the first frame.
        image: (height, width, 3) uint8 BGR.
    """

    source: str
    at_s: float
    image: Image

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        height, width = self.image.shape[:2]
        return width, height

    def jpeg(self) -> bytes:
        """The image as JPEG."""
        cv2 = load_cv2()
        quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        return bytes(cv2.imencode(".jpg", self.image, quality)[1].tobytes())


def read_frame(
    source: str, at_s: float = 0.0, *, on_frame: Callable[[int], None] = lambda _: None
) -> PickedFrame:
    """The first frame of `source` that is at least `at_s` seconds after its first one.

    Args:
        source: as `tallylens count` takes it.
        at_s: seconds after the first frame.
        on_frame: called with the number of frames read so far.

    Raises:
        SourceError: no frames can be read.
        UsageError: the source ends before `at_s`, or holds no images.
    """
    if is_recorded(source):
        raise UsageError(
            f"{source} holds detections only, and no frame to draw on",
            "Use the video that they were recorded from",
        )
    first_ns, seconds = None, 0.0
    with open_source(source) as frames:
        for number, frame in enumerate(frames, 1):
            first_ns = frame.timestamp_ns if first_ns is None else first_ns
            seconds = (frame.timestamp_ns - first_ns) / 1e9
            if seconds >= at_s:
                return PickedFrame(frames.name, seconds, frame.image)
            on_frame(number)
    if first_ns is None:
        raise SourceError(source, "no frames", "Use another source")
    raise UsageError(
        f"--at is {at_s:g}, and {source} ends after {seconds:.1f} seconds",
        "Use a time before its end",
    )
