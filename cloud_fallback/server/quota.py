"""Limits per key: connections, frames per second, frames per day."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

from limits import RateLimitItemPerDay, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter, SlidingWindowCounterRateLimiter

from .key_use import NO_USE, KeyUse
from .keys import Key


class Quota:
    """Counts what each key uses; belongs to the event loop.

    Attributes:
        others: use of each key by other processes that share its plan, by hash of the key.
    """

    def __init__(self) -> None:
        self._storage = MemoryStorage()
        self._by_second = SlidingWindowCounterRateLimiter(self._storage)
        self._by_day = FixedWindowRateLimiter(self._storage)
        self._connections: Counter[str] = Counter()
        self._taken: Counter[str] = Counter()
        self._reported = time.monotonic()
        self.others: Mapping[str, KeyUse] = {}

    def connect(self, key: Key) -> bool:
        """Take one of the key's connections; False where all are taken."""
        others = self.others.get(key.sha256, NO_USE)
        if self._connections[key.sha256] + others.connections >= key.plan.connections:
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
        others = self.others.get(key.sha256, NO_USE)
        rate = others.rate_left(key.plan.frames_per_second, self._connections[key.sha256])
        if not await self._by_second.hit(RateLimitItemPerSecond(rate), key.sha256):
            return 1000 // rate + 1
        day = RateLimitItemPerDay(key.plan.frames_per_day)
        here = await self._by_day.hit(day, key.sha256)
        stats = await self._by_day.get_window_stats(day, key.sha256)
        if not here or stats.remaining < others.frames:
            return max(1, int((stats.reset_time - time.time()) * 1000))
        self._taken[key.sha256] += 1
        return None

    def take_uses(self) -> dict[str, KeyUse]:
        """Use of each key here, for other processes; the frames are those since the last call."""
        now = time.monotonic()
        passed, self._reported = max(1e-3, now - self._reported), now
        taken, self._taken = self._taken, Counter()
        return {
            key: KeyUse(self._connections[key], taken[key], taken[key] / passed)
            for key in {*taken, *self._connections}
        }
