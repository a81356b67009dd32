"""Traffic that moves in one direction: what it rules out, and what it must not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tallylens.edge_runtime.core import TrackCounter
from tests.support import scenes
from tests.support.scenes import box

Frames = list[list[np.ndarray]]
LINE = ((0.0, 540.0), (1280.0, 540.0))
VEHICLES = 12


def clipped(one: np.ndarray, random: np.random.Generator) -> np.ndarray | None:
    """The part of a box inside a frame of 1280x720, with noise; None if it is less than 15 px."""
    shown = np.clip(one + random.normal(0, 1, 4), 0, (1280, 720, 1280, 720))
    return None if shown[3] - shown[1] < 15 or shown[3] < 10 else shown


def convoy(step: float, gap: float, *, x: float = 660.0, up: bool = False, seed: int = 5) -> Frames:
    """Vehicles of 120x90, `gap` heights apart, that drive down (or up) at `step` px per frame."""
    random, height = np.random.default_rng(seed), 90.0
    frames: Frames = []
    for index in range(int((720 + height + VEHICLES * height * gap) / step) + 20):
        bottoms = [index * step - number * height * gap for number in range(VEHICLES)]
        if up:
            bottoms = [720 + height - bottom for bottom in bottoms]
        seen = [clipped(box(x, bottom, 120, height), random) for bottom in bottoms]
        frames.append([one for one in seen if one is not None])
    return frames


def together(*streams: Frames) -> Frames:
    """Streams at the same time, one beside the other."""
    longest = max(map(len, streams))
    return [[b for s in streams if i < len(s) for b in s[i]] for i in range(longest)]


@pytest.mark.parametrize("gap", [1.2, 1.6, 2.5])
@pytest.mark.parametrize("step", [6, 15, 40])
@pytest.mark.parametrize("up", [False, True], ids=["down", "up"])
def test_a_convoy_that_leaves_over_the_edge(gap: float, step: float, up: bool) -> None:
    """The vehicle behind does not take over the identity of one that has left."""
    played = scenes.play_boxes(convoy(step, gap, up=up), lines=[LINE])
    assert played.crossings() == ((0, VEHICLES) if up else (VEHICLES, 0))
    assert played.unique() == VEHICLES


@pytest.mark.parametrize("step", [6, 15])
@pytest.mark.parametrize("gap", [1.6, 2.5])
def test_two_way_traffic_counts_both_ways(step: float, gap: float) -> None:
    frames = together(convoy(step, gap, x=400), convoy(step, gap, x=900, up=True))
    played = scenes.play_boxes(frames, lines=[LINE])
    assert played.crossings() == (VEHICLES, VEHICLES)
    assert played.unique() == 2 * VEHICLES


def wrong_way(step: float, count: int = 1, x: float = 660.0) -> Frames:
    """Single vehicles that drive up where all others drove down."""
    frames: Frames = []
    for _ in range(count):
        frames += [[box(x, bottom, 120, 90)] for bottom in np.arange(700, 60, -step)]
        frames += [[]] * 20
    return frames


@pytest.mark.parametrize("step", [10, 25, 45])
def test_a_vehicle_against_the_traffic_is_counted(step: float) -> None:
    """It overlaps its box of the frame before: the traffic does not matter then."""
    played = scenes.play_boxes([*convoy(15, 2.5), *wrong_way(step)], lines=[LINE])
    assert played.crossings() == (VEHICLES, 1)
    assert played.unique() == VEHICLES + 1


@pytest.mark.parametrize("step", [10, 25, 45])
def test_a_direction_that_changes_is_learned(step: float) -> None:
    """From now on, all drive the other way."""
    played = scenes.play_boxes([*convoy(15, 2.5), *wrong_way(step, count=8)], lines=[LINE])
    assert played.crossings() == (VEHICLES, 8)


def fast_queue(count: int) -> Frames:
    """Vehicles so fast that the nearest detection is that of the vehicle behind.

    They drive 120 px per frame, 170 px apart, without overlap: the same detections fit a motion of
    50 px backwards, which is nearer.
    """
    return [
        [
            box(660, bottom, 120, 60)
            for number in range(60)
            if 60 <= (bottom := index * 120 - number * 170 + 660) <= 720
        ]
        for index in range(count)
    ]


def counted(frames: Sequence[list[np.ndarray]], resume_at: int | None) -> tuple[int, int, bytes]:
    """Totals of the line and the last state; saved and restored in another counter at a frame."""

    def new() -> TrackCounter:
        counter = TrackCounter(1, (1280, 720))
        counter.add_line(*LINE)
        return counter

    counter = new()
    for index, boxes in enumerate(frames):
        if index == resume_at:
            state, counter = counter.save(), new()
            counter.restore(state)
        rows = [tuple(row) for row in boxes]
        counter.update(round(index * 1e9 / 30), scenes.detections(rows))
    totals = counter.line(0)
    return int(totals.crossed_in.sum()), int(totals.crossed_out.sum()), counter.save()


def test_what_is_known_of_the_traffic_survives_save_and_restore() -> None:
    """After the convoy, the queue behind it can be followed; without it nothing is counted."""
    known, queue = convoy(15, 2.5), fast_queue(40)
    whole = counted([*known, *queue], None)
    assert counted([*known, *queue], len(known)) == whole
    assert (whole[0] > VEHICLES + 10, whole[1]) == (True, 0)
    assert counted(queue, None)[:2] == (0, 0)


def test_a_mirrored_convoy_has_mirrored_counts() -> None:
    """Over a vertical line, to the left and to the right, with the same identities."""
    frames = convoy(15, 1.6)
    turned = [[b[[1, 0, 3, 2]] for b in boxes] for boxes in frames]
    left = [[np.array((720 - b[2], b[1], 720 - b[0], b[3])) for b in boxes] for boxes in turned]
    for moving, line, want in (
        (turned, ((300.0, 0.0), (300.0, 1280.0)), (0, VEHICLES)),
        (left, ((420.0, 0.0), (420.0, 1280.0)), (VEHICLES, 0)),
    ):
        played = scenes.play_boxes(moving, lines=[line], frame_size=(720, 1280))
        assert (played.crossings(), played.unique()) == (want, VEHICLES)
