"""Fast objects, the edge of the frame, and what the diagnostics say about motion."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallylens.edge_runtime.core import CounterOptions, TrackCounter
from tests.support import scenes

UPRIGHT = ((320.0, 480.0), (320.0, 0.0))  # `in` is to the right


@pytest.mark.parametrize("side", [16.0, 24.0, 40.0])
@pytest.mark.parametrize("fps", [10.0, 30.0])
def test_a_hundred_pixels_a_frame(side: float, fps: float) -> None:
    way = scenes.along((0.5, 20, 300), (0.5 + 6 / fps, 620, 300))
    played = scenes.play(
        [scenes.Mover(way, size=(side, side))], seconds=3, fps=fps, lines=[UPRIGHT]
    )
    assert played.crossings() == (1, 0)
    assert played.unique() == 1


def test_fast_ones_side_by_side_stay_apart() -> None:
    movers = [
        scenes.Mover(scenes.along((0.5, 20, 120), (1.1, 620, 120)), size=(30, 30)),
        scenes.Mover(scenes.along((0.5, 620, 300), (1.1, 20, 300)), size=(30, 30)),
        scenes.Mover(scenes.along((0.6, 20, 450), (1.1, 620, 450)), size=(30, 30)),
    ]
    played = scenes.play(movers, seconds=3, fps=10, lines=[UPRIGHT])
    assert played.crossings() == (2, 1)
    assert played.unique() == 3


def test_detections_here_and_there_are_not_a_fast_object() -> None:
    """Flashes at random positions, one per frame: four in a row hardly ever lie in even motion."""
    random = np.random.default_rng(5)
    counter = TrackCounter(1, scenes.FRAME)
    for frame in range(100):
        x, y = random.uniform(0, 600), random.uniform(0, 440)
        counter.update(frame * 100_000_000, scenes.detections([(x, y, x + 15, y + 15)]))
    assert counter.unique().sum() <= 2


@pytest.mark.parametrize("fps", [8.0, 25.0])
@pytest.mark.parametrize(("place", "crossings"), [(472.0, (1, 0)), (330.0, (0, 0))])
def test_out_of_the_frame(fps: float, place: float, crossings: Any) -> None:
    """An object that leaves over the lower edge has crossed the line before it, and no other."""

    def cut(mover: Any, seconds: float) -> Any:
        box = mover.box(seconds)
        return None if box is None or box[1] > 450 else (*box[:3], min(box[3], 480.0))

    mover = scenes.Mover(scenes.along((0, 320, 340), (2.5, 320, 640)), size=(60, 90))
    counter = TrackCounter(1, scenes.FRAME)
    line = ((0.0, 472.0), (640.0, 472.0)) if place > 400 else ((0.0, 330.0), (640.0, 330.0))
    counter.add_line(*line)
    for seconds in np.arange(0, 5, 1 / fps):
        box = cut(mover, float(seconds))
        counter.update(round(seconds * 1e9), scenes.detections([] if box is None else [box]))
    counts = counter.line(0)
    assert (counts.crossed_in.sum(), counts.crossed_out.sum()) == crossings


def test_the_rest_of_an_object_that_leaves_is_not_a_new_object() -> None:
    """A person of whom only legs at the edge are found at last, three times per second."""
    whole = [(x, 10, min(x + 180, 640), 400) for x in range(100, 560, 60)]
    legs = [(590, 200, 639, 398), (600, 290, 640, 400)]
    counter = TrackCounter(1, scenes.FRAME)
    for frame, box in enumerate([*whole, *legs]):
        counter.update(frame * 300_000_000, scenes.detections([box]))
    assert counter.unique().sum() == 1


def test_into_the_frame() -> None:
    """First seen beyond a line near the edge that it has come over."""
    counter = TrackCounter(1, scenes.FRAME)
    counter.add_line((0, 20), (640, 20))
    for frame in range(30):
        bottom = 30 + 25 * (frame - 5)
        box = (300, max(bottom - 60, 0), 340, bottom)
        counter.update(frame * 100_000_000, scenes.detections([box] if 5 <= frame <= 20 else []))
    assert counter.line(0).crossed_in.sum() == 1


def test_who_is_there_when_the_film_begins_has_not_come_in() -> None:
    counter = TrackCounter(1, scenes.FRAME)
    counter.add_line((0, 20), (640, 20))
    for frame in range(15):
        bottom = 30 + 25 * frame
        box = (300, max(bottom - 60, 0), 340, bottom)
        counter.update(frame * 100_000_000, scenes.detections([box]))
    assert counter.line(0).crossed_in.sum() == 0


def test_a_known_object_leaps_over_the_line() -> None:
    counter = TrackCounter(1, scenes.FRAME)
    counter.add_line((0, 240), (640, 240))
    for frame in range(30):
        y = 200 if frame < 15 else 280
        counter.update(frame * 40_000_000, scenes.detections([(300, y - 60, 340, y)]))
    assert (counter.line(0).crossed_in.sum(), counter.unique().sum()) == (1, 1)


def test_a_frame_rate_that_would_do() -> None:
    """Single detections ten sizes apart, ten times per second, that no motion joins."""
    counter = TrackCounter(1, (2000, 2000))
    for frame in range(10):
        x, y = 100 + 160 * frame, 1000 + (150 if frame % 3 else -150) * (frame % 2)
        counter.update(frame * 100_000_000, scenes.detections([(x, y, x + 20, y + 20)]))
    facts = counter.diagnostics()
    assert counter.unique().sum() == 0
    assert facts.unlinked >= 5
    assert 60 <= facts.needed_fps <= 250


def test_speed_and_short_tracks_are_told() -> None:
    """A walk at two sizes a second, and something that was there for 0.12 s."""
    walk = scenes.Mover(scenes.along((0, 100, 300), (4, 500, 300)), size=(50, 50))
    short = scenes.Mover(scenes.along((1, 300, 100), (1.13, 300, 100)))
    facts = scenes.play([walk, short], seconds=5).counter.diagnostics()
    assert facts.fastest == pytest.approx(2, abs=0.6)
    assert facts.unconfirmed_tracks == 1
    assert facts.longest_unconfirmed_s == pytest.approx(0.12, abs=0.01)
    assert (facts.unlinked, facts.needed_fps) == (0, 0)


def crowd(random: np.random.Generator, fps: float) -> list[Any]:
    """Frames of boxes (n, 4): 1 to 5 objects of 1 to 300 pixels per frame, cut at the edges."""
    movers = []
    for _ in range(random.integers(1, 6)):
        ends = random.uniform([-100, 60], [740, 480], (2, 2))
        speed = fps * float(np.exp(random.uniform(0, np.log(300))))
        start = random.uniform(0, 2)
        spent = np.linalg.norm(ends[1] - ends[0]) / speed
        way = scenes.along((start, *ends[0]), (start + max(float(spent), 1 / fps), *ends[1]))
        movers.append(scenes.Mover(way, size=tuple(random.uniform(15, 120, 2))))
    frames = []
    for seconds in np.arange(0, 6, 1 / fps):
        boxes = [box for mover in movers if (box := mover.box(float(seconds))) is not None]
        inside = np.clip(np.array(boxes, np.float32).reshape(-1, 4), 0, [640, 480, 640, 480])
        frames.append(inside[(inside[:, 2:] - inside[:, :2]).min(axis=1) > 4])
    return frames


def count(frames: list[Any], fps: float, line: Any, size: Any) -> tuple[int, int, int]:
    """(in, out, unique), by the objects' centers."""
    counter = TrackCounter(1, size, options=CounterOptions(anchor="center"))
    counter.add_line(*line)
    for index, boxes in enumerate(frames):
        counter.update(round(index / fps * 1e9), scenes.detections(boxes))
    totals = counter.line(0)
    crossed = int(totals.crossed_in.sum()), int(totals.crossed_out.sum())
    return *crossed, int(counter.unique().sum())


@pytest.mark.slow
@settings(max_examples=150)
@given(seed=st.integers(0, 100_000), fps=st.sampled_from((5.0, 12.0, 30.0, 60.0)))
def test_left_and_right_and_up_and_down_are_alike(seed: int, fps: float) -> None:
    """Mirrored, `in` is `out`; with x and y exchanged, and the line's ends too, all is the same."""
    random = np.random.default_rng(seed)
    frames, x = crowd(random, fps), float(random.uniform(20, 620))
    crossed_in, crossed_out, unique = count(frames, fps, ((x, 480), (x, 0)), (640, 480))
    mirrored = [[640, 0, 640, 0] + boxes[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] for boxes in frames]
    line = ((640 - x, 480), (640 - x, 0))
    assert count(mirrored, fps, line, (640, 480)) == (crossed_out, crossed_in, unique)
    turned = [boxes[:, [1, 0, 3, 2]] for boxes in frames]
    across = ((0, x), (480, x))
    assert count(turned, fps, across, (480, 640)) == (crossed_in, crossed_out, unique)
