"""How much one frame differs from another, by its most changed part."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...edge_runtime.core.images import image_struct, readable
from ...edge_runtime.core.native import check_status, ffi, lib
from ...edge_runtime.types import Image

ROWS, COLUMNS = lib.TALLY_VIEW_ROWS, lib.TALLY_VIEW_COLUMNS
Thumbnail = npt.NDArray[np.uint8]


def thumbnail(image: Image) -> Thumbnail:
    """(18, 32) uint8 mean gray levels of (height, width, 3) uint8 BGR."""
    held = readable(image, "BGR")
    cells = np.empty((ROWS, COLUMNS), np.uint8)
    source = image_struct(held, "BGR", 0, False, "BT.601")
    check_status(lib.tally_offload_view(source, ffi.from_buffer("uint8_t[]", cells)))
    return cells


def largest_difference(before: Thumbnail, now: Thumbnail) -> float:
    """Gray levels by which the most changed cell differs."""
    return float(np.abs(before.astype(np.int16) - now).max())
