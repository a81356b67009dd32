"""One counter in several threads."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tallylens import Counter, Detections, FrameResult, Report, TimestampError


def test_threads_that_update_one_counter_take_turns(tiny_model: Path) -> None:
    """Each frame is counted or refused for its time; none meets another one in the engine."""
    black = np.zeros((64, 64, 3), np.uint8)
    errors: list[BaseException] = []
    with Counter(tiny_model) as counter:

        def camera(start: float) -> None:
            for i in range(30):
                try:
                    counter.update(black, start + i)
                except BaseException as error:
                    errors.append(error)

        threads = [threading.Thread(target=camera, args=(k / 4,)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {type(error) for error in errors} <= {TimestampError}
        assert counter.frames + len(errors) == 120


class Asker:
    """A sink in whose frames another thread asks for the report."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.reports: list[Report] = []
        self.early: list[bool] = []

    def restore(self, saved: Mapping[str, Any]) -> None:
        pass

    def frame(self, result: FrameResult) -> None:
        def ask() -> None:
            self.reports.append(self.counter.report())

        self.thread = threading.Thread(target=ask)
        self.thread.start()
        self.thread.join(0.05)
        self.early.append(not self.thread.is_alive())

    def period(self, period: object) -> None:
        pass

    def save(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        pass


def test_a_report_waits_for_the_frame_that_is_being_counted() -> None:
    with Counter.from_detections(["car"], (100, 100)) as counter:
        asker = Asker(counter)
        counter.add_sink(asker)
        for i in range(10):
            box = np.array([[10, 10 + i, 30, 40 + i]], np.float32)
            car = Detections(box, np.array([0.9], np.float32), np.array([0], np.int32))
            counter.update_detections(car, i / 25)
            asker.thread.join()
    assert asker.early == [False] * 10
    assert [report.frames for report in asker.reports] == list(range(1, 11))
    assert asker.reports[-1].unique == {"car": 1}
