"""Objects that stand and are hidden: expected where they stood, and the same when they reappear."""

from __future__ import annotations

import numpy as np
import pytest

from tallylens.edge_runtime.core import CounterOptions
from tests.support import scenes
from tests.support.scenes import box

Frames = list[list[np.ndarray]]
FRAME = (1280, 720)
GAPS = [0.5, 2, 3.2, 5, 20]
RATES = [7, 10, 30]
CAR = (640.0, 380.0, 160.0, 90.0)


def seen(fps: float, seconds: float, seed: int, where: tuple[float, ...] = CAR) -> Frames:
    """A car that stands, with a detector's noise."""
    random = np.random.default_rng(seed)
    return [[box(*where) + random.normal(0, 1, 4)] for _ in range(round(fps * seconds))]


def hidden_four_times(fps: float, gap: float, seed: int) -> Frames:
    frames = seen(fps, 2, seed)
    for time in range(4):
        frames += [[] for _ in range(round(gap * fps))]
        frames += seen(fps, 2, seed + time + 1)
    return frames


@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("seed", range(3))
def test_a_parked_car_that_is_hidden_four_times_is_one(gap: float, fps: float, seed: int) -> None:
    # `in` and `out` of a line through the car's lower edge stay zero, too.
    lines = [((0.0, 380.0), (1280.0, 380.0))]
    played = scenes.play_boxes(hidden_four_times(fps, gap, seed), fps=fps, lines=lines)
    assert (played.unique(), len(played.ids), played.crossings()) == (1, 1, (0, 0))


@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("fps", [10, 30])
@pytest.mark.parametrize("way", [1, -1])
def test_four_trucks_that_hide_a_parked_car_are_four_more(gap: float, fps: float, way: int) -> None:
    """Each truck passes in front while the car is not seen."""
    random = np.random.default_rng(0)
    frames = seen(fps, 2, 0)
    for time in range(4):
        count = max(round(gap * fps), 1)
        for index in range(count):
            x = 640 + way * (-990 + 1980 * index / count)
            frames.append([box(x, 400, 500, 260) + random.normal(0, 1, 4)])
        frames += seen(fps, 2, time + 1)
    assert scenes.play_boxes(frames, fps=fps).unique() == 5


@pytest.mark.parametrize("gap", [3.2, 5, 20])
def test_nothing_is_remembered_at_zero_seconds(gap: float) -> None:
    """Lost for longer than `lost_s`, each appearance is an object of its own, as before 0.2."""
    frames = hidden_four_times(10, gap, 0)
    forgetful = scenes.play_boxes(frames, fps=10, options=CounterOptions(remember_s=0))
    assert forgetful.unique() == 5


@pytest.mark.parametrize("remember_s", [4.0, 10.0])
def test_how_long_a_standing_object_is_remembered(remember_s: float) -> None:
    for gap, unique in ((remember_s - 0.5, 1), (remember_s + 0.5, 5)):
        frames = hidden_four_times(10, gap, 0)
        played = scenes.play_boxes(frames, fps=10, options=CounterOptions(remember_s=remember_s))
        assert played.unique() == unique, gap


def test_a_car_that_parks_elsewhere_is_another_car() -> None:
    frames = seen(10, 2, 0) + [[]] * 50 + seen(10, 2, 1, (1000.0, 380.0, 160.0, 90.0))
    assert scenes.play_boxes(frames, fps=10).unique() == 2


def test_a_car_of_another_size_at_the_same_position_is_another_car() -> None:
    frames = seen(10, 2, 0) + [[]] * 50 + seen(10, 2, 1, (640.0, 380.0, 400.0, 240.0))
    assert scenes.play_boxes(frames, fps=10).unique() == 2


def test_a_car_of_the_same_size_at_the_same_position_cannot_be_told_apart() -> None:
    """The core sees boxes, not colors: the second car passes for the first within `remember_s`."""
    second = seen(10, 2, 1, (642.0, 381.0, 158.0, 91.0))
    assert scenes.play_boxes(seen(10, 2, 0) + [[]] * 200 + second, fps=10).unique() == 1


def test_a_passer_by_where_somebody_stood_is_another_person() -> None:
    """A standing person leaves unseen; another walks through there 5 s later."""
    person = (640.0, 380.0, 60.0, 150.0)
    passing = [[box(float(x), 380, 60, 150)] for x in np.arange(60, 1220, 12)]
    frames = seen(10, 2, 0, person) + [[]] * 50 + passing
    played = scenes.play_boxes(frames, fps=10)
    assert played.unique() == 2


def test_a_remembered_object_survives_save_and_restore() -> None:
    frames = hidden_four_times(10, 5, 0)
    counter = scenes.play_boxes(frames[:60], fps=10).counter  # hidden for 4 s
    resumed = scenes.play_boxes([], fps=10).counter
    resumed.restore(counter.save())
    for index, boxes in enumerate(frames[60:], 60):
        found = scenes.detections([tuple(row) for row in boxes])
        resumed.update(round(index * 1e9 / 10), found)
    assert int(resumed.unique().sum()) == 1
