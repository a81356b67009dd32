"""How much one frame differs from another, by its most changed part."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...edge_runtime.types import Image

COLUMNS, ROWS = 32, 18
Thumbnail = npt.NDArray[np.float32]


def thumbnail(image: Image) -> Thumbnail:
    """(18, 32) float32 mean gray levels of (height, width, 3) uint8 BGR."""
    import cv2

    # Reduced before it is made gray: a cell's mean is the same, and there is less to convert.
    small = cv2.resize(image, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.float32)


def largest_difference(before: Thumbnail, now: Thumbnail) -> float:
    """Gray levels by which the most changed cell differs."""
    return float(np.abs(before - now).max())
