"""Connections and frames that a key may use."""

from __future__ import annotations

import asyncio
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
    async def frames() -> list[int | None]:
        quota, limited = Quota(), key(Plan(frames_per_second=4))
        return [await quota.frame(limited) for _ in range(5)]

    assert asyncio.run(frames()) == [None] * 4 + [251]


def test_frames_above_the_limit_of_a_day_wait_for_the_next() -> None:
    async def frames() -> list[int | None]:
        quota, limited = Quota(), key(Plan(frames_per_day=2))
        return [await quota.frame(limited) for _ in range(3)]

    *allowed, refused = asyncio.run(frames())
    assert allowed == [None, None]
    assert refused is not None
    assert 1000 < refused <= 86_400_000


def test_a_plan_is_shared_with_other_processes() -> None:
    """Connections and frames elsewhere count; a process keeps its share by connections."""
    quota, limited = Quota(), key(Plan(connections=3, frames_per_second=10, frames_per_day=8))
    quota.others = {limited.sha256: KeyUse(connections=1, frames=4, per_second=9.0)}
    assert [quota.connect(limited) for _ in range(3)] == [True, True, False]

    async def frames() -> list[int | None]:
        return [await quota.frame(limited) for _ in range(7)]

    *allowed, beyond_day, _, _ = asyncio.run(frames())
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
