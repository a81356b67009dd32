"""Auto sampling on objects whose speed is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tallylens.edge_runtime.rate_control.adaptive_sampling import (
    NEW_OBJECT,
    SLOWEST_FPS,
    STEP,
    AdaptiveSampler,
)
from tallylens.edge_runtime.rate_control.frame_filter import FrameFeedback, FrameFilters
from tallylens.edge_runtime.types import Detections, Frame, Tracks

IMAGE = np.zeros((2, 2, 3), np.uint8)
FPS = 120
SIDE = 40.0

Place = Callable[[float], float | None]


def run(
    places: list[Place], seconds: float, confirm_s: float = 0.25
) -> tuple[AdaptiveSampler, list[int]]:
    """A frame's objects are SIDE wide at x(t); a track is confirmed `confirm_s` after its first."""
    sampler = AdaptiveSampler()
    filters = FrameFilters([sampler])
    seen_since: dict[int, float] = {}
    used = []
    for frame in filters.choose(
        Frame(IMAGE, round(i * 1e9 / FPS), i) for i in range(int(seconds * FPS))
    ):
        now = frame.timestamp_ns / 1e9
        used.append(frame.index)
        rows = [(track, x) for track, place in enumerate(places) if (x := place(now)) is not None]
        for track, _ in rows:
            seen_since.setdefault(track, now)
        boxes = np.array([(x, 0, x + SIDE, SIDE) for _, x in rows], np.float32).reshape(-1, 4)
        scores = np.full(len(rows), 2 * NEW_OBJECT, np.float32)
        classes = np.zeros(len(rows), np.int32)
        known = np.array([now - seen_since[track] >= confirm_s for track, _ in rows], bool)
        ids = np.array([track for track, _ in rows], np.int64)
        tracks = Tracks(boxes[known], scores[known], classes[known], ids[known])
        filters.learn(FrameFeedback(frame, Detections(boxes, scores, classes), tracks, 1.0))
    return sampler, used


def test_an_empty_scene_is_processed_slowly() -> None:
    _, used = run([], 10)
    assert len(used) == pytest.approx(10 * SLOWEST_FPS, rel=0.02)


@pytest.mark.parametrize("sizes_per_second", [5.0, 10.0, 20.0])
def test_the_rate_follows_the_speed(sizes_per_second: float) -> None:
    sampler, used = run([lambda t: sizes_per_second * SIDE * t], 10)
    late = [index for index in used if index >= 5 * FPS]
    rate = len(late) / 5
    assert rate == pytest.approx(max(SLOWEST_FPS, sizes_per_second / STEP), rel=0.3)
    assert sampler.fastest == pytest.approx(sizes_per_second, rel=0.05)
    assert f"{sizes_per_second:.1f} of its own sizes" in sampler.summary()


def test_what_is_new_gets_every_frame_until_its_speed_is_known() -> None:
    _, used = run([lambda t: None if t < 2 else 100.0], 4)
    first = next(index for index in used if index >= 2 * FPS)
    assert first <= 2 * FPS + FPS / SLOWEST_FPS
    burst = [index for index in used if first <= index < first + 0.25 * FPS]
    assert len(burst) == pytest.approx(0.25 * FPS, abs=1)
    late = [index for index in used if index >= 3 * FPS]
    assert len(late) == pytest.approx(SLOWEST_FPS, abs=2)


def test_jitter_of_the_boxes_is_no_speed() -> None:
    noise = np.random.default_rng(1)
    _, used = run([lambda t: 100 + float(noise.uniform(-1, 1))], 6)
    assert len([index for index in used if index >= 3 * FPS]) / 3 <= 1.5 * SLOWEST_FPS
