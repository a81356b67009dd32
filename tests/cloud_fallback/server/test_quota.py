"""Connections and frames that a key may use."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tallylens.cloud_fallback.server.key_use import KeyUse
from tallylens.cloud_fallback.server.keys import Key, Plan
from tallylens.cloud_fallback.server.quota import Quota


def key(plan: Plan, name: str = "a") -> Key:
    return Key(name, name * 64, frozenset(), datetime.max.replace(tzinfo=UTC), plan)


def test_connections_are_taken_and_released_per_key() -> None:
    quota, first, second = Quota(), key(Plan(connections=2)), key(Plan(connections=1), "b")
    assert [quota.connect(first) for _ in range(3)] == [True, True, False]
    assert quota.connect(second)
    quota.disconnect(first)
    assert quota.connect(first)


def test_frames_above_the_limit_of_a_second_wait_for_a_frame_of_it() -> None:
    def frames() -> list[int | None]:
        quota, limited = Quota(), key(Plan(frames_per_second=4))
        return [quota.frame(limited) for _ in range(5)]

    assert frames() == [None] * 4 + [251]


def test_frames_above_the_limit_of_a_day_wait_for_the_next() -> None:
    def frames() -> list[int | None]:
        quota, limited = Quota(), key(Plan(frames_per_day=2))
        return [quota.frame(limited) for _ in range(3)]

    *allowed, refused = frames()
    assert allowed == [None, None]
    assert refused is not None
    assert 1000 < refused <= 86_400_000


def test_a_plan_is_shared_with_other_processes() -> None:
    """Connections and frames elsewhere count; a process keeps its share by connections."""
    quota, limited = Quota(), key(Plan(connections=3, frames_per_second=10, frames_per_day=8))
    quota.others = {limited.sha256: KeyUse(connections=1, frames=4, per_second=9.0)}
    assert [quota.connect(limited) for _ in range(3)] == [True, True, False]

    def frames() -> list[int | None]:
        return [quota.frame(limited) for _ in range(7)]

    *allowed, beyond_day, _, _ = frames()
    assert allowed == [None] * 4
    assert beyond_day is not None
    assert quota.take_uses()[limited.sha256].connections == 2
    assert quota.take_uses()[limited.sha256].frames == 0


@pytest.mark.parametrize(
    ("others", "left"),
    [
        (KeyUse(), 10),
        (KeyUse(connections=1, per_second=4.0), 6),
        (KeyUse(connections=1, per_second=10.0), 5),
        (KeyUse(connections=99, per_second=10.0), 1),
    ],
)
def test_the_rate_beside_others_is_what_they_leave_or_a_share(others: KeyUse, left: int) -> None:
    assert others.rate_left(10, 1) == left


def test_bytes_beyond_what_may_come_at_once_are_waited_for() -> None:
    quota, limited = Quota(), key(Plan(bytes_per_second=5 << 20))
    assert quota.received(limited, 10 << 20) == 0.0
    assert quota.received(limited, 5 << 20) == pytest.approx(1.0, abs=0.2)
    assert quota.received(limited, 5 << 20) == pytest.approx(2.0, abs=0.2)
    assert quota.received(key(Plan(bytes_per_second=5 << 20), "b"), 1) == 0.0


def test_a_plan_without_bytes_allows_a_full_frame_each_time() -> None:
    quota, limited = Quota(), key(Plan(frames_per_second=20))
    assert all(quota.received(limited, 1 << 20) == 0.0 for _ in range(40))
    assert quota.received(limited, 2 << 20) > 0.0
