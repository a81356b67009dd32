from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from tallylens.edge_runtime.detection.detector import Detector, Timing
from tallylens.edge_runtime.detection.multi_size_detector import MultiSizeDetector

IMAGE = np.zeros((2, 2, 3), np.uint8)


def detector(name: str) -> Detector:
    found: Any = SimpleNamespace(
        detect=lambda image: name, timing=Timing(1, 2, 3, 4), engine=f"engine of {name}"
    )
    return cast(Detector, found)


def test_each_frame_is_detected_at_the_chosen_size() -> None:
    chosen = [0, 1, 1, 0]
    several = MultiSizeDetector([detector("large"), detector("small")], lambda: chosen.pop(0))
    names: list[object] = [several.detect(IMAGE) for _ in range(4)]
    assert names == ["large", "small", "small", "large"]
    assert several.timing == Timing(2, 4, 6, 8)
    engine: object = several.engine
    assert engine == "engine of large"
