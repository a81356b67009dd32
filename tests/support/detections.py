"""Detections written as rows."""

from __future__ import annotations

import numpy as np

from tallylens.edge_runtime.types import Detections


def detections(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    """Detections of rows (x1, y1, x2, y2, confidence, class id)."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Detections(
        table[:, :4].astype(np.float32),
        table[:, 4].astype(np.float32),
        table[:, 5].astype(np.int32),
    )
