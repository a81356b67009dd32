"""A detector for tests: gives the detections that it was made with, frame by frame."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from ..types import Detections, Image


class FakeDetector:
    """Gives each call the next of `frames`, and nothing after the last.

    Args:
        frames: the detections of each frame.

    Attributes:
        calls: how many frames were asked for.
    """

    def __init__(self, frames: Iterable[Detections] = ()) -> None:
        self.calls = 0
        self._frames = iter(frames)
        self._lock = threading.Lock()

    def detect(self, image: Image, /) -> Detections:
        """The next detections; `image` is not looked at."""
        del image
        with self._lock:
            self.calls += 1
            return next(self._frames, Detections.empty())
