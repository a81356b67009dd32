"""The governor against a machine whose latency is a function of its level."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tallylens.edge_runtime.errors import UsageError
from tallylens.edge_runtime.rate_control.frame_filter import FrameFeedback
from tallylens.edge_runtime.rate_control.governor import Governor, Level, ladder
from tallylens.edge_runtime.types import Detections, Frame, Tracks

IMAGE = np.zeros((2, 2, 3), np.uint8)
NOTHING = Detections.empty()
NO_TRACKS = Tracks(**vars(NOTHING))
FPS = 20


class Machine:
    """Frames of capture time through a governor."""

    def __init__(self, governor: Governor, latency: Callable[[Level, float], float]) -> None:
        self.governor = governor
        self.latency = latency
        self.at = 0
        self.levels: list[Level] = []
        self.used = 0

    def run(self, seconds: float) -> Machine:
        for _ in range(round(seconds * FPS)):
            frame = Frame(IMAGE, round(self.at * 1e9 / FPS), self.at)
            self.at += 1
            if self.governor.wants(frame):
                self.used += 1
                spent = self.latency(self.governor.level, frame.timestamp_ns / 1e9)
                self.governor.learn(FrameFeedback(frame, NOTHING, NO_TRACKS, spent))
            self.levels.append(self.governor.level)
        return self


def test_the_ladder_is_rate_then_size() -> None:
    assert ladder(3) == [
        Level(1),
        Level(2),
        Level(4),
        Level(4, 1),
        Level(4, 2),
    ]
    assert ladder(1) == [Level(1), Level(2), Level(4)]


def test_within_its_budget_nothing_changes() -> None:
    said: list[str] = []
    machine = Machine(Governor(budget_ms=50, on_change=said.append), lambda *_: 45.0).run(120)
    assert (machine.governor.changes, machine.used, said) == (0, 120 * FPS, [])
    assert machine.governor.summary() is None


def test_without_a_budget_it_never_acts() -> None:
    machine = Machine(Governor(), lambda *_: 1e6).run(60)
    assert (machine.governor.level, machine.used) == (Level(), 60 * FPS)


def test_it_goes_down_until_the_budget_is_kept_and_says_so() -> None:
    said: list[str] = []
    governor = Governor(budget_ms=50, sizes=["640x640", "320x320"], on_change=said.append)
    machine = Machine(governor, lambda level, _: 48.0 if level.size else 70.0).run(60)
    assert governor.level == Level(4, 1)
    assert said == [
        "70 ms per frame is over the budget of 50 ms: now one frame in 2, input 640x640",
        "70 ms per frame is over the budget of 50 ms: now one frame in 4, input 640x640",
        "70 ms per frame is over the budget of 50 ms: now one frame in 4, input 320x320",
    ]
    assert governor.summary() == (
        "the budget of 50 ms took 3 changes, down to one frame in 4, input 320x320; it ended at "
        "one frame in 4, input 320x320"
    )
    before = machine.used
    machine.run(20)
    assert machine.used - before == 20 * FPS / 4


def test_it_stays_at_the_last_level() -> None:
    said: list[str] = []
    governor = Governor(budget_ms=10, on_change=said.append)
    machine = Machine(governor, lambda *_: 70.0).run(120)
    assert machine.governor.level == Level(4)
    assert len(said) == governor.changes == 2


def test_a_burst_changes_nothing() -> None:
    machine = Machine(Governor(budget_ms=50), lambda _, now: 300.0 if now % 5 < 0.8 else 40.0).run(
        300
    )
    assert machine.governor.changes == 0


def test_it_comes_back_when_the_machine_does() -> None:
    governor = Governor(budget_ms=50)
    machine = Machine(governor, lambda _, now: 90.0 if now < 60 else 20.0)
    machine.run(60)
    assert governor.level == Level(4)
    machine.run(120)
    assert governor.level == Level(1)


def test_near_its_limit_it_does_not_swing() -> None:
    """Full rate is too hot, half rate is cool: each try waits twice as long as the one before."""
    governor = Governor(budget_ms=50)
    machine = Machine(governor, lambda level, _: 60.0 if level.rate == 1 else 20.0)
    machine.run(3600)
    at_full = sum(level.rate == 1 for level in machine.levels) / len(machine.levels)
    assert at_full < 0.02
    # Waits of 10, 20, ... 640 s, and then one of 640 s after the other: 11 tries, two changes each.
    assert governor.changes <= 1 + 2 * 12


def test_max_fps_is_of_capture_time() -> None:
    machine = Machine(Governor(max_fps=5), lambda *_: 1.0).run(100)
    assert machine.used == 500


@pytest.mark.parametrize("limits", [{"budget_ms": 0}, {"max_fps": -1}, {"max_fps": float("nan")}])
def test_limits_that_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="Use a number above 0"):
        Governor(**limits)


def heated(
    script: dict[float, str], seconds: float
) -> tuple[list[tuple[float, Level]], list[str], list[bool]]:
    """Levels as they change, the sentences, and the frames that were wanted."""
    said: list[str] = []
    governor = Governor(on_change=said.append)
    levels, wanted = [(0.0, governor.level)], []
    for index in range(round(seconds * FPS)):
        now = index / FPS
        if now in script:
            governor.set_thermal(script[now])
        wanted.append(governor.wants(Frame(IMAGE, round(now * 1e9), index)))
        if governor.level != levels[-1][1]:
            levels.append((now, governor.level))
    return levels, said, wanted


def test_heat_takes_steps_at_once_and_returns_them_one_by_one() -> None:
    script = {10.0: "light", 20.0: "moderate", 40.0: "severe", 60.0: "light", 90.0: "none"}
    levels, said, wanted = heated(script, 120)
    assert [level for _, level in levels] == [Level(1), Level(2), Level(4), Level(2), Level(1)]
    assert [at for at, _ in levels] == pytest.approx([0, 20, 40, 70, 80], abs=0.1)
    assert said == [
        "the device is warm: now one frame in 2",
        "the device is hot: now one frame in 4",
        "the device is cooler: now one frame in 2",
        "the device is cooler: now every frame",
    ]
    assert sum(wanted[40 * FPS : 60 * FPS]) == pytest.approx(20 * FPS / 4, abs=1)


def test_a_device_that_is_too_hot_looks_at_nothing() -> None:
    _, said, wanted = heated({5.0: "critical", 15.0: "severe", 20.0: "none"}, 45)
    assert not any(wanted[5 * FPS : 15 * FPS])
    assert sum(wanted[15 * FPS : 20 * FPS]) == pytest.approx(5 * FPS / 4, abs=1)
    assert said == [
        "the device is too hot: now no frames",
        "the device is cooler: now one frame in 4",
        "the device is cooler: now one frame in 2",
        "the device is cooler: now every frame",
    ]


def test_heat_is_added_to_what_the_budget_took() -> None:
    governor = Governor(budget_ms=50, sizes=["640x640", "320x320"])
    machine = Machine(governor, lambda level, _: 70.0 if level.rate == 1 else 20.0).run(5)
    assert governor.level == Level(2)
    governor.set_thermal("severe")
    assert governor.level == Level(4, 1)
    machine.run(60)
    assert governor.level == Level(4, 1), "no step up is tried in the heat"


def test_little_headroom_counts_as_moderate() -> None:
    said: list[str] = []
    governor = Governor(on_change=said.append)
    for headroom in (float("nan"), 0.94, 0.95):
        governor.set_headroom(headroom)
    assert governor.level == Level(2)
    governor.set_headroom(float("nan"))
    for second in range(20):
        governor.wants(Frame(IMAGE, second * 10**9))
    assert governor.level == Level(1)
    assert said == [
        "the device will soon be warm: now one frame in 2",
        "the device is cooler: now every frame",
    ]
    assert governor.summary() == (
        "the temperature took 2 changes, down to one frame in 2; it ended at every frame"
    )
