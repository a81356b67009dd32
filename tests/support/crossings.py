"""A count of cars that cross a line one after the other, with detectors that are ready."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tallylens import Detections, Line, Report, Zone
from tallylens.edge_runtime.counting.session import CountSession
from tallylens.edge_runtime.counting.sinks import Sink
from tallylens.edge_runtime.types import Image
from tallylens.testing import FakeDetector

SIZE = (100, 200)
IMAGE: Image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
GATE = Line(0, 100, 100, 100, "gate")
YARD = Zone(((0, 100), (100, 100), (100, 200), (0, 200)), "yard")
FRAMES_PER_CAR = 60


def detections(cars: int) -> list[Detections]:
    """Each car goes down over the gate in 2 s, then the street is empty for 4 s."""
    frames = []
    for _ in range(cars):
        for index in range(FRAMES_PER_CAR):
            if index < 20:
                y = 40 + 6 * index
                xyxy = np.array([(40, y - 20, 60, y)], np.float32)
                frames.append(Detections(xyxy, np.array([0.9], np.float32), np.zeros(1, np.int32)))
            else:
                frames.append(Detections.empty())
    return frames


def session(cars: int, sinks: Sequence[Sink], **more: Any) -> CountSession:
    """A session whose frames are `detections(cars)`."""
    options = {"lines": [GATE], "zones": [YARD], **more}
    return CountSession(
        "camera 1", [FakeDetector(detections(cars))], ["car"], SIZE, sinks=sinks, **options
    )


def push(counting: CountSession, start: int, stop: int) -> None:
    """Count the frames from `start` to `stop`, at 10 fps."""
    for index in range(start, stop):
        counting.update(IMAGE, timestamp_s=index / 10)


def count(cars: int, sinks: Sequence[Sink], **more: Any) -> Report:
    """Count all frames to the end."""
    with session(cars, sinks, **more) as counting:
        push(counting, 0, cars * FRAMES_PER_CAR)
        counting.conclude()
    return counting.report()
