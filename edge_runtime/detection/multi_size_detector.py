"""A detector of several input sizes that does what the governor says."""

from __future__ import annotations

from collections.abc import Sequence

from ..engines import Engine
from ..rate_control.governor import Governor, Remote
from ..types import Detections, Image
from .detector import Detector, Timing


class MultiSizeDetector:
    """Detects with the size of the governor's level, and asks the cloud first where it says so.

    Args:
        detectors: one an input size, largest first; also an attribute.
        remote: detects elsewhere; one that raises must not end the count, so it returns None.
    """

    def __init__(
        self, detectors: Sequence[Detector], governor: Governor, remote: Remote | None = None
    ) -> None:
        self.detectors = detectors
        self._governor = governor
        self._remote = remote

    @property
    def engine(self) -> Engine:
        """The engine of the largest size."""
        return self.detectors[0].engine

    @property
    def timing(self) -> Timing:
        """Of all sizes together."""
        return sum((detector.timing for detector in self.detectors), Timing())

    def detect(self, image: Image) -> Detections:
        """Objects in `image`, (height, width, 3) uint8 BGR, in its pixels."""
        level = self._governor.level
        if level.remote and self._remote is not None:
            found = self._remote(image)
            if found is not None:
                return found
        return self.detectors[level.size].detect(image)
