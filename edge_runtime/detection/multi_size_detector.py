"""A detector with several input sizes of one model, from which rate control chooses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..engines import Engine
from ..types import Detections, Image, YuvPlanes
from .detector import Detector, Timing


class MultiSizeDetector:
    """Detects at the input size that `size_index` gives for each frame.

    Args:
        detectors: one per input size, largest first; also an attribute.
        size_index: index of the size to use now.
    """

    def __init__(self, detectors: Sequence[Detector], size_index: Callable[[], int]) -> None:
        self.detectors = detectors
        self._size_index = size_index

    @property
    def engine(self) -> Engine:
        """The engine of the largest size."""
        return self.detectors[0].engine

    @property
    def timing(self) -> Timing:
        """The times of all sizes together."""
        return sum((detector.timing for detector in self.detectors), Timing())

    def detect(self, image: Image) -> Detections:
        """Objects in `image`, (height, width, 3) uint8 BGR, in its pixels."""
        return self.detectors[self._size_index()].detect(image)

    def detect_planes(self, planes: YuvPlanes) -> Detections:
        """Objects in an image of a video decoder, in its upright pixels."""
        return self.detectors[self._size_index()].detect_planes(planes)
