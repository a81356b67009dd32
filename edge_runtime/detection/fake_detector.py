"""A detector for tests, which returns the detections that it was made with."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from ..types import Detections, Image


class FakeDetector:
    """Returns the next of `frames` for each call, and no detections after the last.

    Example:
        >>> import numpy as np
        >>> from tallylens import Detections
        >>> from tallylens.testing import FakeDetector
        >>> box = np.array([[10, 10, 50, 50]], np.float32)
        >>> car = Detections(box, np.array([0.9], np.float32), np.array([0], np.int32))
        >>> detector = FakeDetector([car])
        >>> image = np.zeros((100, 100, 3), np.uint8)
        >>> len(detector.detect(image)), len(detector.detect(image)), detector.calls
        (1, 0, 2)

    Args:
        frames: the detections of each frame.

    Attributes:
        calls: number of calls so far.
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
