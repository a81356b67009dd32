"""The governor in plain Python, written before the core's: latency, rate and heat."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable

RATES = (1, 2, 4)
DOWN_S, UP_S, MAX_UP_S, COOL_S = 2.0, 10.0, 640.0, 10.0
HEADROOM, UP_SHARE, BUCKET_S = 0.7, 0.9, 0.5
MODERATE, SEVERE, CRITICAL = 2, 3, 4
WARM_HEADROOM = 0.95


class RateLimiter:
    """Passes frames at an even rate; one is taken if it is nearer to the due time than the next."""

    def __init__(self) -> None:
        self.interval_s = self.frame_s = 0.0
        self._due_ns: float | None = None
        self._previous_ns: int | None = None

    def is_due(self, timestamp_ns: int) -> bool:
        """Whether a frame of this capture time passes."""
        if self._previous_ns is not None:
            step_s = (timestamp_ns - self._previous_ns) / 1e9
            usual_s = min(step_s, 2 * self.frame_s) if self.frame_s else step_s
            self.frame_s += (usual_s - self.frame_s) * (0.1 if self.frame_s else 1.0)
        self._previous_ns = timestamp_ns
        if self._due_ns is not None and timestamp_ns + self.frame_s * 0.5e9 < self._due_ns:
            return False
        late = self._due_ns is None or timestamp_ns > self._due_ns + self.interval_s * 1e9
        start = timestamp_ns if late or self._due_ns is None else self._due_ns
        self._due_ns = start + self.interval_s * 1e9
        return True


class Governor:
    """Levels by latency, with further steps by heat; `changes` holds them as they happen."""

    def __init__(self, num_sizes: int, budget_ms: float, max_fps: float) -> None:
        self.levels = [(rate, 0) for rate in RATES]
        self.levels += [(RATES[-1], size) for size in range(1, num_sizes)]
        self.budget_ms = budget_ms
        self.changes: list[list[object]] = []
        self._min_s = 1 / max_fps if max_fps else 0.0
        self._limiter = RateLimiter()
        self._at = self._hot = self._lowest = 0
        self._medians: deque[tuple[float, float]] = deque()
        self._bucket: list[float] = []
        self._bucket_s, self._wait_s = 0.0, UP_S
        self._went_up_s: float | None = None
        self._thermal, self._headroom = 0, -1.0
        self._now_ns = self._warm_ns = 0

    @property
    def index(self) -> int:
        """Where on the ladder."""
        return min(self._at + self._hot, len(self.levels) - 1)

    @property
    def level(self) -> tuple[int, int]:
        """(rate, size) in force."""
        return self.levels[self.index]

    @property
    def lowest(self) -> tuple[int, int]:
        """The cheapest level so far."""
        return self.levels[self._lowest]

    @property
    def paused(self) -> bool:
        """Whether it is too hot."""
        return self._thermal >= CRITICAL

    def wants(self, timestamp_ns: int) -> str:
        """Why the frame is not wanted; "none" if it is."""
        self._cool(timestamp_ns)
        self._now_ns = timestamp_ns
        rate = self.level[0]
        own_s = self._limiter.frame_s * rate if rate > 1 else 0.0
        self._limiter.interval_s = max(self._min_s, own_s)
        due = self._limiter.is_due(timestamp_ns)
        return "too_hot" if self.paused else "none" if due else "rate"

    # ---- latency

    def learn(self, timestamp_ns: int, latency_ms: float) -> None:
        """Take one measurement."""
        if not self.budget_ms:
            return
        now_s = timestamp_ns / 1e9
        if self._bucket and now_s - self._bucket_s >= BUCKET_S:
            self._medians.append((self._bucket_s, statistics.median(self._bucket)))
            self._bucket = []
            self._decide(now_s)
        if not self._bucket:
            self._bucket_s = now_s
        self._bucket.append(latency_ms)

    def _decide(self, now_s: float) -> None:
        longest_s = max(DOWN_S, self._wait_s)
        while len(self._medians) > 1 and self._medians[1][0] <= now_s - longest_s:
            self._medians.popleft()
        over = self._share(now_s, DOWN_S, lambda typical: typical > self.budget_ms)
        cool = self.budget_ms * HEADROOM
        under = self._share(now_s, self._wait_s, lambda typical: typical < cool)
        typical = statistics.median(median for _, median in list(self._medians)[-4:])
        if over == 1 and self.index + 1 < len(self.levels):
            bounced = self._went_up_s is not None and now_s - self._went_up_s < self._wait_s
            self._wait_s = min(2 * self._wait_s, MAX_UP_S) if bounced else UP_S
            self._went_up_s = None
            self._at += 1
            self._note("over_budget", typical)
        elif over != 1 and under >= UP_SHARE and self._at and not self._hot:
            self._went_up_s = now_s
            self._at -= 1
            self._note("under_budget", typical)

    def _share(self, now_s: float, span_s: float, holds: Callable[[float], bool]) -> float:
        recent = [median for at, median in self._medians if at >= now_s - span_s]
        whole = bool(recent) and now_s - self._medians[0][0] >= span_s - BUCKET_S / 2
        return sum(map(holds, recent)) / len(recent) if whole and len(recent) > 1 else 0.0

    # ---- heat

    def _steps(self) -> int:
        if self._thermal >= SEVERE:
            return 2
        return int(self._thermal == MODERATE or self._headroom >= WARM_HEADROOM)

    def set_heat(self, thermal: int | None = None, headroom: float | None = None) -> None:
        """Take the thermal state, the headroom, or both."""
        before, was_paused = self.index, self.paused
        self._thermal = self._thermal if thermal is None else thermal
        self._headroom = self._headroom if headroom is None else headroom
        wanted = self._steps()
        if wanted >= self._hot:
            self._warm_ns = self._now_ns
        if wanted > self._hot or (self.paused and not was_paused):
            self._hot = max(self._hot, wanted)
            names = {MODERATE: "warm", SEVERE: "hot"}
            reason = "too_hot" if self.paused else names.get(self._thermal, "headroom")
            if self.index != before or self.paused != was_paused:
                self._note(reason, 0.0)
        elif was_paused and not self.paused:
            self._note("cooler", 0.0)

    def _cool(self, timestamp_ns: int) -> None:
        if not self._hot:
            return
        if self._steps() >= self._hot:
            self._warm_ns = timestamp_ns
        elif (timestamp_ns - self._warm_ns) / 1e9 >= COOL_S:
            before = self.index
            self._now_ns = self._warm_ns = timestamp_ns
            self._hot -= 1
            if self.index != before:
                self._note("cooler", 0.0)

    def _note(self, reason: str, latency_ms: float) -> None:
        self._medians.clear()
        self._bucket = []
        self._lowest = max(self._lowest, self.index)
        rate, size = self.level
        self.changes.append([self._now_ns, reason, int(self.paused), rate, size, latency_ms])
