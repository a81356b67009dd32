"""Visits of zones: borders, small zones and fast objects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallylens.edge_runtime.core import CounterOptions, TrackCounter
from tests.support import scenes
from tests.support.scenes import box

Frames = list[list[np.ndarray]]
SQUARE = ((400.0, 400.0), (900.0, 400.0), (900.0, 700.0), (400.0, 700.0))
SMALL = ((620.0, 200.0), (660.0, 200.0), (660.0, 500.0), (620.0, 500.0))


def visits(counter: TrackCounter, zone: int = 0) -> tuple[int, int]:
    totals = counter.zone(zone)
    return int(totals.entered.sum()), int(totals.left.sum())


@pytest.mark.parametrize("fps", [7, 10, 25, 30, 120])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("together", [False, True], ids=["each edge", "the whole box"])
def test_standing_on_the_border_for_30_seconds_is_one_stay(
    fps: float, seed: int, together: bool
) -> None:
    """6 px of noise; the object then walks away."""
    random = np.random.default_rng(seed)
    frames = []
    for _ in range(round(30 * fps)):
        noise = np.tile(random.normal(0, 6, 2), 2) if together else random.normal(0, 6, 4)
        frames.append([box(640, 400, 60, 120) + noise])
    frames += [[box(640, 400 - 150 * second, 60, 120)] for second in np.arange(0, 2, 1 / fps)]
    counter = scenes.play_boxes(frames, fps=fps, zones=[SQUARE]).counter
    assert visits(counter) == (1, 1)
    # Below 25 fps, the first seconds may hold too few frames in a row that are inside.
    assert counter.zone(0).max_dwell_s == pytest.approx(30, abs=1 if fps >= 25 else 2)


@pytest.mark.parametrize("fps", [7, 10, 30])
@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("side", [1, -1])
def test_one_frame_flicker_of_the_lower_edge_is_no_visit(
    fps: float, share: float, side: int
) -> None:
    """An object that stands before a zone does not enter it; one that stands inside stays."""
    frames = [[box(640, 400 + side * 20, 60, 120)] for _ in range(90)]
    for index in (30, 50, 70):
        frames[index][0][3] -= side * share * 85
    frames += [[box(640, 400 + side * 20, 60, 120)] for _ in range(90)]
    counter = scenes.play_boxes(frames, fps=fps, zones=[SQUARE]).counter
    assert visits(counter) == ((1, 0) if side > 0 else (0, 0))


def passes(step: float, size: tuple[float, float], way: int = 1) -> Frames:
    """Six passes over the frame at `step` pixels per frame, each from another start."""
    frames: Frames = []
    for number in range(6):
        xs = np.arange(60 + (number * 7) % step, 1220, step)
        frames += [[box(x if way > 0 else 1280 - x, 360, *size)] for x in xs]
        frames += [[]] * 40
    return frames


@pytest.mark.parametrize("step", [15, 30, 60, 90, 120, 160, 200, 240])
@pytest.mark.parametrize("way", [1, -1])
def test_six_passes_of_a_small_zone(step: float, way: int) -> None:
    played = scenes.play_boxes(passes(step, (60, 60), way), zones=[SMALL])
    assert visits(played.counter) == (6, 6)
    kinds = [event.kind for event in played.events if event.kind != "confirmed"]
    assert kinds == ["entered", "left"] * 6


@pytest.mark.parametrize("step", [15, 60, 120])
@pytest.mark.parametrize("size", [(40, 40), (60, 120), (100, 60)])
def test_six_passes_of_a_small_zone_by_other_objects(
    step: float, size: tuple[float, float]
) -> None:
    assert visits(scenes.play_boxes(passes(step, size), zones=[SMALL]).counter) == (6, 6)


def test_a_pass_beside_a_small_zone_is_no_visit() -> None:
    beside = ((620.0, 380.0), (660.0, 380.0), (660.0, 500.0), (620.0, 500.0))
    assert visits(scenes.play_boxes(passes(60, (60, 60)), zones=[beside]).counter) == (0, 0)


def test_a_pass_shorter_than_the_minimum_dwell_is_not_counted() -> None:
    counter = TrackCounter(1, (1280, 720))
    counter.add_zone(SMALL, min_dwell_s=1.0)
    for index, boxes in enumerate(passes(60, (60, 60))):
        counter.update(round(index * 1e9 / 30), scenes.detections([tuple(b) for b in boxes]))
    assert visits(counter) == (0, 0)


def test_the_times_of_a_pass_between_two_frames() -> None:
    """At 240 px per frame the visit of a 40 px zone takes a sixth of a frame."""
    events = scenes.play_boxes(passes(240, (60, 60)), zones=[SMALL]).events
    for entered, left in zip(*[iter(e for e in events if e.kind != "confirmed")] * 2, strict=True):
        assert (left.timestamp_ns - entered.timestamp_ns) / 1e9 == pytest.approx(1 / 180, rel=0.5)
        assert (entered.x, left.x) == (pytest.approx(620, abs=2), pytest.approx(660, abs=2))


@pytest.mark.slow
@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), fps=st.sampled_from([7, 25, 120]))
def test_a_mirrored_scene_has_the_same_visits(seed: int, fps: float) -> None:
    random = np.random.default_rng(seed)
    stations = random.uniform((300, 300), (1000, 720), (6, 2))
    times = np.arange(0, 5, 1 / fps)
    path = np.stack([np.interp(times, np.arange(6), axis) for axis in stations.T], axis=1)
    frames = [[box(x, y, 60, 90) + random.normal(0, 2, 4)] for x, y in path]
    options = replace(CounterOptions(), anchor="center")
    plain = scenes.play_boxes(frames, fps=fps, zones=[SQUARE], options=options)
    swap = [1, 0, 3, 2]
    turned = scenes.play_boxes(
        [[boxes[0][swap]] for boxes in frames],
        fps=fps,
        zones=[[(y, x) for x, y in SQUARE]],
        frame_size=(720, 1280),
        options=options,
    )
    assert visits(turned.counter) == visits(plain.counter)
    assert turned.counter.zone(0).max_dwell_s == pytest.approx(plain.counter.zone(0).max_dwell_s)
