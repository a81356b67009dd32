"""Connections and frames that a key may use."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

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
