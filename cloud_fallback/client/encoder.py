"""Encodes images so that the link can carry them in time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import product

import numpy as np

from ...edge_runtime.core import Preprocessor
from ...edge_runtime.types import Image
from ..wire.client_session import EncodedImage
from ..wire.frames import Codec

# Accuracy falls sharply below quality 15 and visibly below 40 (arXiv 2007.14314).
QUALITIES = (90, 80, 70, 60, 50, 40)
SCALES = (1.0, 0.75, 0.5)
UP_AT = 0.6
# Typical size of a JPEG of quality 90, as a share of its pixels' bytes.
_JPEG_SHARE = 1 / 16


@dataclass(frozen=True)
class Step:
    """Size as a share of the model's input, and JPEG quality; quality 0 is lossless."""

    scale: float
    quality: int


LADDER = (
    Step(1.0, 0),
    *(Step(1.0, quality) for quality in QUALITIES),
    *(Step(scale, quality) for scale, quality in product(SCALES[1:], (60, 40))),
)
EXACT, BEST_JPEG, LAST = 0, 1, len(LADDER) - 1
# To spare bytes: half of those of BEST_JPEG for most of what the bigger model adds, down to where
# smaller images add less per byte than fewer images (`benchmarks/ladder.py`).
SPARING = (LADDER.index(Step(1.0, 60)), LADDER.index(Step(1.0, 40)))


class FrameEncoder:
    """Chooses the step of the ladder that fits the time; goes down at once and up slowly.

    The bigger model's letterbox is the core's, and so is the scaling here: of an image that was
    sent losslessly, the server's model sees the pixels that it would see on the device.

    Args:
        input_size: (height, width) of the bigger model.
        max_bytes: of one frame, by the server's limits.
        best, worst: indices of the best and the worst step of LADDER to be used.
        start: index of the first step.
    """

    def __init__(
        self,
        input_size: tuple[int, int],
        max_bytes: int,
        *,
        best: int = BEST_JPEG,
        worst: int = LAST,
        start: int = BEST_JPEG,
    ) -> None:
        self._input, self._max_bytes = input_size, max_bytes
        self._best, self._worst, self._step = best, worst, start
        self._preprocessor = Preprocessor()
        self._pixels = input_size[0] * input_size[1]
        self._sizes: deque[int] = deque(maxlen=8)

    @property
    def step(self) -> Step:
        """The current step."""
        return LADDER[self._step]

    @property
    def smallest(self) -> bool:
        """Whether no step with fewer bytes may be used."""
        return self._step >= self._worst

    def expected_bytes(self) -> int:
        """Size of the largest of the last images; before the first, a guess from the pixels."""
        if self._step == EXACT:
            return 3 * self._pixels
        return max(self._sizes, default=int(3 * self._pixels * _JPEG_SHARE))

    def encode(self, image: Image) -> EncodedImage:
        """`image`, (height, width, 3) uint8 BGR, no larger than the model's input."""
        small = self._scaled(image)
        height, width = small.shape[:2]
        self._pixels = height * width
        if self._step == EXACT != self._worst and small.nbytes > self._max_bytes:
            self._best = self._step = BEST_JPEG
        if self._step == EXACT:
            return EncodedImage(small.tobytes(), width, height, Codec.RAW)
        data = _jpeg(small, self.step.quality)
        self._sizes.append(len(data))
        return EncodedImage(data, width, height)

    def _scaled(self, image: Image) -> Image:
        height, width = (max(1, round(side * self.step.scale)) for side in self._input)
        if image.shape[0] <= height and image.shape[1] <= width:
            return image
        target = np.empty((1, height, width, 3), np.uint8)
        box = self._preprocessor.run(image, target, layout="NHWC")
        rows = round(box.gain_y * box.source_height)
        columns = round(box.gain_x * box.source_width)
        filled = target[0, box.pad_y : box.pad_y + rows, box.pad_x : box.pad_x + columns]
        return np.ascontiguousarray(filled[..., ::-1])

    def adapt(self, bandwidth: float, seconds: float) -> None:
        """Fit the next images, each to `seconds` of a link of `bandwidth` bytes per second."""
        if not bandwidth:
            return
        carried = bandwidth * max(seconds, 1e-3)
        if self.expected_bytes() > carried and self._step < self._worst:
            self._move(1)
        elif self._step > self._best and self._larger() < UP_AT * carried:
            self._move(-1)

    def _larger(self) -> float:
        """Estimated size of an image one step up."""
        up = self._step - 1
        return 3 * self._pixels if up == EXACT else self.expected_bytes()

    def _move(self, by: int) -> None:
        self._step += by
        # Typical effect of one step; the next images are measured again.
        factor = 0.8 if by > 0 else 1.25
        self._sizes = deque((int(size * factor) for size in self._sizes), maxlen=8)


def _jpeg(image: Image, quality: int) -> bytes:
    import cv2

    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(data)
