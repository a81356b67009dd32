"""Answers of a server in the device's own terms: its pixels, and the classes of its model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...edge_runtime.types import Detections
from ..wire.messages import Result


class Answers:
    """Reads answers of a server whose model has `theirs` for a device whose model has `ours`.

    Classes go by their names; objects of one that the device does not know are left out.
    """

    def __init__(self, theirs: Sequence[str], ours: Sequence[str]) -> None:
        known = {name: i for i, name in enumerate(ours)}
        self._class_ids = np.array([known.get(name, -1) for name in theirs], np.int32)

    def read(self, result: Result, scale: tuple[float, float]) -> Detections:
        """In pixels of the camera's picture, which is `scale` times the one that was sent."""
        rows = np.array(result.detections, np.float64).reshape(-1, 6)
        rows = rows[rows[:, 5] < len(self._class_ids)]
        class_id = self._class_ids[rows[:, 5].astype(np.int32)]
        known = class_id >= 0
        boxes = (rows[:, :4] * np.tile(scale, 2)).astype(np.float32)
        return Detections(boxes[known], rows[known, 4].astype(np.float32), class_id[known])
