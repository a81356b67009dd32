"""How much a picture differs from another, by its most changed part."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...edge_runtime.types import Image

ACROSS, DOWN = 32, 18


def thumbnail(image: Image) -> npt.NDArray[np.float32]:
    """(18, 32) float32 mean grey levels of (height, width, 3) uint8 BGR."""
    import cv2

    # Reduced before it is made grey: a part's mean is the same, and there is less to convert.
    small = cv2.resize(image, (ACROSS, DOWN), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.float32)


def changed_by(before: npt.NDArray[np.float32], now: npt.NDArray[np.float32]) -> float:
    """Grey levels by which the most changed part differs."""
    return float(np.abs(before - now).max())
