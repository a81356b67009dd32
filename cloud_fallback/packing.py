"""A camera picture to the bytes that a link can carry in time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..edge_runtime.types import Image
from .client_stream import Picture

# Accuracy falls sharply below quality 15 and visibly below 40 (arXiv 2007.14314).
QUALITIES = (90, 80, 70, 60, 50, 40)
SCALES = (1.0, 0.75, 0.5)
UP_AT = 0.6


@dataclass(frozen=True)
class Step:
    """How small a picture is made: a share of the model's input, and a JPEG quality."""

    scale: float
    quality: int


LADDER = (
    *(Step(1.0, quality) for quality in QUALITIES),
    *(Step(scale, quality) for scale, quality in product(SCALES[1:], (60, 40))),
)


class Packer:
    """Chooses the step of the ladder that fits the time; goes down at once and up slowly."""

    def __init__(self, input_size: tuple[int, int], start: int = 0) -> None:
        self._input = input_size
        self._step = start
        self._sizes: deque[int] = deque(maxlen=8)

    @property
    def step(self) -> Step:
        """Where it stands."""
        return LADDER[self._step]

    def expected_bytes(self) -> int:
        """The largest of the last pictures; before the first, a guess from the pixels."""
        height, width = self._input
        return max(self._sizes, default=height * width // 8)

    def pack(self, image: Image) -> Picture:
        """`image`, (height, width, 3) uint8 BGR, as a JPEG no larger than the model's input."""
        import cv2

        height, width = image.shape[:2]
        fit = min(self._input[0] / height, self._input[1] / width, 1.0) * self.step.scale
        if fit < 1.0:
            size = (max(1, round(width * fit)), max(1, round(height * fit)))
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, self.step.quality])
        self._sizes.append(len(data))
        return Picture(data.tobytes(), image.shape[1], image.shape[0])

    def adapt(self, bandwidth: float, seconds: float) -> None:
        """Fit the next pictures, each to `seconds` of a link of `bandwidth` bytes a second."""
        if not bandwidth or not self._sizes:
            return
        share = self.expected_bytes() / (bandwidth * max(seconds, 1e-3))
        if share > 1 and self._step + 1 < len(LADDER):
            self._move(1)
        elif share < UP_AT and self._step:
            self._move(-1)

    def _move(self, by: int) -> None:
        self._step += by
        # About what a step makes of a picture; the next ones are measured again.
        factor = 0.8 if by > 0 else 1.25
        self._sizes = deque((int(size * factor) for size in self._sizes), maxlen=8)
