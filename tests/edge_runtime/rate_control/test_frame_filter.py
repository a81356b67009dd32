from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens.edge_runtime.rate_control.frame_filter import FrameFeedback, FrameFilters
from tallylens.edge_runtime.rate_control.governor import Governor
from tallylens.edge_runtime.types import Detections, Frame, Tracks

IMAGE = np.zeros((2, 2, 3), np.uint8)
SECOND = 1_000_000_000
NOTHING = Tracks(**vars(Detections.empty()))


def kept(interval_s: float, times: list[int]) -> list[int]:
    limiter = Governor(max_fps=1 / interval_s if interval_s else None)
    return [at for at in times if limiter.wants(Frame(IMAGE, at))]


def test_without_an_interval_every_frame_is_kept() -> None:
    times = list(range(0, SECOND, SECOND // 30))
    assert kept(0, times) == times


@pytest.mark.parametrize(("fps", "wanted", "each"), [(30, 15, 2), (30, 10, 3), (120, 30, 4)])
def test_a_whole_share_is_every_nth_frame(fps: int, wanted: int, each: int) -> None:
    times = [i * SECOND // fps for i in range(10 * fps)]
    assert kept(1 / wanted, times) == times[::each]


@given(st.floats(5, 120), st.floats(1, 60), st.floats(0, 0.3), st.integers(0, 2**32))
def test_the_rate_is_kept_with_jitter(fps: float, wanted: float, jitter: float, seed: int) -> None:
    noise = random.Random(seed)
    times = [round((i + jitter * noise.random()) / fps * SECOND) for i in range(int(20 * fps))]
    per_second = len(kept(1 / wanted, times)) / 20
    assert per_second <= wanted * 1.02 + 0.1
    assert per_second >= min(wanted, fps) * 0.7


def test_after_a_gap_it_does_not_catch_up() -> None:
    times = [*range(0, SECOND, SECOND // 10), *range(60 * SECOND, 61 * SECOND, SECOND // 10)]
    after = [at for at in kept(0.5, times) if at >= 60 * SECOND]
    assert after == [60 * SECOND, 60 * SECOND + SECOND // 2]


class Even:
    def __init__(self) -> None:
        self.learned: list[int] = []

    def wants(self, frame: Frame) -> bool:
        return frame.index % 2 == 0

    def learn(self, feedback: FrameFeedback) -> None:
        self.learned.append(feedback.frame.index)

    def summary(self) -> str | None:
        return f"learned from {len(self.learned)}" if self.learned else None


def test_a_frame_is_processed_when_all_want_it() -> None:
    first, second = Even(), Even()
    filters = FrameFilters([first, second])
    frames = [Frame(IMAGE, i, i) for i in range(5)]
    chosen = list(filters.choose(frames))
    assert [frame.index for frame in chosen] == [0, 2, 4]
    assert (filters.offered, filters.skipped) == (5, 2)
    assert filters.summaries() == []
    filters.learn(FrameFeedback(frames[2], Detections.empty(), NOTHING, 1.0))
    assert first.learned == second.learned == [2]
    assert filters.summaries() == ["learned from 1", "learned from 1"]
