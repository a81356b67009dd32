"""Limits per key: connections, frames per second, frames per day."""

from __future__ import annotations

import time
from collections import Counter

from limits import RateLimitItemPerDay, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter, SlidingWindowCounterRateLimiter

from .keys import Key


class Quota:
    """Counts what each key uses; belongs to the event loop."""

    def __init__(self) -> None:
        self._storage = MemoryStorage()
        self._by_second = SlidingWindowCounterRateLimiter(self._storage)
        self._by_day = FixedWindowRateLimiter(self._storage)
        self._connections: Counter[str] = Counter()

    def connect(self, key: Key) -> bool:
        """Take one of the key's connections; False where all are taken."""
        if self._connections[key.sha256] >= key.plan.connections:
            return False
        self._connections[key.sha256] += 1
        return True

    def disconnect(self, key: Key) -> None:
        """Release a connection."""
        self._connections[key.sha256] -= 1
        if not self._connections[key.sha256]:
            del self._connections[key.sha256]

    async def frame(self, key: Key) -> int | None:
        """Take one of the key's frames: None, or the milliseconds until there is one."""
        second = RateLimitItemPerSecond(key.plan.frames_per_second)
        if not await self._by_second.hit(second, key.sha256):
            return 1000 // key.plan.frames_per_second + 1
        day = RateLimitItemPerDay(key.plan.frames_per_day)
        if not await self._by_day.hit(day, key.sha256):
            stats = await self._by_day.get_window_stats(day, key.sha256)
            return max(1, int((stats.reset_time - time.time()) * 1000))
        return None
