"""Warnings about calibration images that do not represent the camera's view."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ...edge_runtime.types import FloatArray, Image

ENOUGH_IMAGES = 32
# Spread of the gray values (0 to 255) below which an image shows nothing.
_PLAIN = 6.0
# The letterbox's padding value.
_BORDER = 114
# Share of differing pixels below which two images are the same one.
_ALIKE = 2.0


def warnings_about(count: int, some: Sequence[Image]) -> Iterator[str]:
    """A sentence for each thing that puts the accuracy at risk.

    `count`: images used in all. `some`: a few of them, (h, w, 3) uint8.
    """
    if count < ENOUGH_IMAGES:
        yield (
            f"calibrated on {count} images only: ranges may be too narrow for what they do not "
            f"show, and objects be missed; give {ENOUGH_IMAGES} or more from the camera's view"
        )
    small = [image[::8, ::8].astype(np.float32) for image in some]
    plain = sum(_spread(image) < _PLAIN for image in small)
    if plain * 2 > len(small):
        yield (
            "most calibration images show one plain color: the ranges fit nothing else, and "
            "objects will be missed; give images from the camera's view"
        )
    elif len(small) > 1 and all(np.abs(image - small[0]).mean() < _ALIKE for image in small[1:]):
        yield (
            "the calibration images are all alike: the ranges fit this one scene, and objects in "
            "others may be missed; give images from different times and locations"
        )


def _spread(image: FloatArray) -> float:
    """Standard deviation of the gray values inside the letterbox's border."""
    inside = image[(image != _BORDER).any(axis=-1)]
    return float(inside.std()) if len(inside) else 0.0
