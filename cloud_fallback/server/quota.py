"""Limits per key: connections, frames per second and per day, bytes per second."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ..wire.constants import MAX_FRAME_BYTES
from .key_use import NO_USE, KeyUse
from .keys import Key, Plan

DAY_S = 86_400
# A refused message costs its key at least as many bytes: it has been read and is answered.
REFUSED_BYTES = 1 << 16
# The bytes that a key may send at once, in seconds of its bytes per second.
_BURST_S = 2.0
_BYTES_OF_FRAME = 1 << 20


@dataclass(eq=False)
class _Use:
    """The use of one key: connections, frames of this and the last second, and of today.

    `bytes` is what it may send at once, below 0 what it has sent too much; `at` is when that was.
    """

    bytes: float
    at: float
    connections: int = 0
    second: int = 0
    frames: int = 0
    frames_before: int = 0
    day: int = 0
    frames_today: int = 0


class Quota:
    """Counts what each key uses; belongs to the event loop.

    Attributes:
        others: use of each key by other processes that share its plan, by hash of the key.
    """

    def __init__(self) -> None:
        # Never more than there are keys in the file.
        self._uses: dict[str, _Use] = {}
        self._taken: Counter[str] = Counter()
        self._reported = time.monotonic()
        self.others: Mapping[str, KeyUse] = {}

    def _use(self, key: Key) -> _Use:
        use = self._uses.get(key.sha256)
        if use is None:
            use = self._uses[key.sha256] = _Use(_burst(key.plan), time.monotonic())
        return use

    def connect(self, key: Key) -> bool:
        """Take one of the key's connections; False where all are taken."""
        use, others = self._use(key), self.others.get(key.sha256, NO_USE)
        if use.connections + others.connections >= key.plan.connections:
            return False
        use.connections += 1
        return True

    def disconnect(self, key: Key) -> None:
        """Release a connection."""
        self._use(key).connections -= 1

    def frame(self, key: Key) -> int | None:
        """Take one of the key's frames: None, or the milliseconds until there is one."""
        use, now = self._use(key), time.time()
        others = self.others.get(key.sha256, NO_USE)
        rate = others.rate_left(key.plan.frames_per_second, use.connections)
        second, day = int(now), int(now // DAY_S)
        if second != use.second:
            use.frames_before = use.frames if second == use.second + 1 else 0
            use.second, use.frames = second, 0
        if day != use.day:
            use.day, use.frames_today = day, 0
        # The frames of the last 1,000 ms, had those of the second before come evenly.
        lately = use.frames + int(use.frames_before * (1 - now + second))
        if lately >= rate:
            return 1000 // rate + 1
        if use.frames_today + others.frames >= key.plan.frames_per_day:
            return max(1, int(((day + 1) * DAY_S - now) * 1000))
        use.frames += 1
        use.frames_today += 1
        self._taken[key.sha256] += 1
        return None

    def received(self, key: Key, size: int) -> float:
        """Charge bytes that came, whatever becomes of them: 0, or seconds to read nothing more."""
        use, rate, now = self._use(key), _bytes_per_second(key.plan), time.monotonic()
        use.bytes = min(_burst(key.plan), use.bytes + (now - use.at) * rate) - size
        use.at = now
        return max(0.0, -use.bytes / rate)

    def take_uses(self) -> dict[str, KeyUse]:
        """Use of each key here, for other processes; the frames are those since the last call."""
        now = time.monotonic()
        passed, self._reported = max(1e-3, now - self._reported), now
        taken, self._taken = self._taken, Counter()
        return {
            key: KeyUse(use.connections, taken[key], taken[key] / passed)
            for key, use in self._uses.items()
            if use.connections or taken[key]
        }


def _bytes_per_second(plan: Plan) -> int:
    return plan.bytes_per_second or plan.frames_per_second * _BYTES_OF_FRAME


def _burst(plan: Plan) -> float:
    return max(_BURST_S * _bytes_per_second(plan), 2.0 * MAX_FRAME_BYTES)
