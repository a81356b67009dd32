from __future__ import annotations

import time

import numpy as np
import pytest

from tallylens import Frame
from tallylens.edge_runtime.counting import speed_meter
from tallylens.edge_runtime.counting.speed_meter import SpeedMeter
from tallylens.edge_runtime.detection.detector import Timing

MS = 1_000_000
RECORDED = Frame(np.zeros((1, 1, 3), np.uint8), 0)


class Clock:
    """Stands in for the clocks of `time`."""

    def __init__(self) -> None:
        self.now_ns = 5 * MS

    def perf_counter_ns(self) -> int:
        return self.now_ns

    monotonic_ns = perf_counter_ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(speed_meter, "time", clock)
    assert time.perf_counter_ns is not clock.perf_counter_ns
    return clock


def test_frames_per_second_are_of_the_run(clock: Clock) -> None:
    meter = SpeedMeter(lambda: Timing(4, 4 * MS, 40 * MS, 8 * MS))
    meter.start()
    for _ in range(4):
        clock.now_ns += 20 * MS
        meter.start()
        meter.count_frame()
    clock.now_ns += 1000 * MS
    speed = meter.speed(counting_ns=2 * MS)
    assert speed.fps == pytest.approx(50)
    assert (speed.inference_ms, speed.host_ms) == (10.0, 3.5)
    assert meter.stages_ns(2 * MS) == (4 * MS, 40 * MS, 8 * MS, 2 * MS)


def test_without_a_frame_nothing_is_divided_by_zero(clock: Clock) -> None:
    speed = SpeedMeter(Timing).speed(counting_ns=0)
    assert (speed.fps, speed.inference_ms, speed.host_ms) == (0, 0, 0)


def test_a_live_frame_is_late_since_it_arrived(clock: Clock) -> None:
    live = Frame(RECORDED.image, 0, 0, arrived_ns=clock.now_ns)
    clock.now_ns += 70 * MS
    assert SpeedMeter(Timing).latency_ms(live) == pytest.approx(70)


def test_a_recorded_frame_takes_the_work_since_the_one_before() -> None:
    timings = [
        Timing(1, 0, 10 * MS, 0),
        Timing(3, 0, 30 * MS, 6 * MS),
        Timing(3, 0, 30 * MS, 6 * MS),
    ]
    meter = SpeedMeter(lambda: timings.pop(0))
    # Two frames were done between the first and the second; none before the third.
    assert [meter.latency_ms(RECORDED) for _ in range(3)] == [10, 13, 13]
