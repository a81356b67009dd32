"""How late a file may end because of the cloud, simulated with a clock of numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens.cloud_fallback.client.time_budget import SHARE, TimeBudget

seconds = st.floats(0.001, 2.0)


@given(st.lists(st.tuples(seconds, seconds), min_size=1, max_size=50))
def test_a_file_never_ends_later_than_its_share(frames: list[tuple[float, float]]) -> None:
    """Each frame is computed, and then waits for the cloud as long as it may."""
    budget, now, alone_s = TimeBudget(1), 100.0, 0.0
    budget.start(now)
    for compute_s, wait_s in frames:
        budget.compute(now, 1)
        now += compute_s
        alone_s += compute_s
        budget.compute(now, -1)
        budget.wait(now, 1)
        now += min(wait_s, budget.left_s(now))
        budget.wait(now, -1)
    assert now - 100.0 <= (1 + SHARE) * alone_s + 1e-6
    assert 1 + SHARE < 1.2


def test_nothing_is_lost_while_the_engines_have_work() -> None:
    budget = TimeBudget(2)
    budget.start(0.0)
    budget.compute(0.0, 2)
    budget.wait(0.0, 3)
    assert budget.left_s(10.0) == pytest.approx(SHARE * 10)
    budget.compute(10.0, -1)
    assert budget.left_s(11.0) == pytest.approx(SHARE * 10.5 - 0.5), "one of two is idle"


def test_frames_that_only_the_cloud_computes_pay_for_their_waits() -> None:
    budget, now = TimeBudget(1), 0.0
    budget.start(now)
    budget.compute(now, 1)
    now += 1.0
    budget.compute(now, -1)
    for _ in range(100):
        budget.wait(now, 1)
        now += 0.1
        budget.wait(now, -1)
        budget.saved(0.15)
    assert budget.left_s(now) == pytest.approx(SHARE * 16.0 + 5.0)


def test_before_the_first_frame_nothing_may_wait() -> None:
    assert TimeBudget(1).left_s(5.0) == 0.0
