from __future__ import annotations

import numpy as np

from tallylens import Detections
from tallylens.testing import FakeDetector

IMAGE = np.zeros((8, 8, 3), np.uint8)


def one_box(x: float) -> Detections:
    xyxy = np.array([[x, 0, x + 4, 4]], np.float32)
    return Detections(xyxy, np.array([0.9], np.float32), np.array([0], np.int32))


def test_it_gives_its_frames_and_then_nothing() -> None:
    frames = [one_box(0), one_box(2)]
    detector = FakeDetector(frames)
    assert [detector.detect(IMAGE) for _ in frames] == frames
    assert len(detector.detect(IMAGE)) == 0
    assert detector.calls == 3
