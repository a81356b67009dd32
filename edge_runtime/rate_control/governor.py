"""The governor: keeps a latency budget and a maximum frame rate, in steps that it reports.

    full rate → half → quarter → smaller input → ...

A step down is taken when every half second of a window was over the budget, a step up when nearly
all of a longer one was well under it. After a step up that does not hold, the next try waits twice
as long, so that a machine near its limit does not oscillate.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..types import Frame
from .frame_filter import FrameFeedback, RateLimiter

RATES = (1, 2, 4)
DOWN_S = 2.0
UP_S = 10.0
MAX_UP_S = 640.0
HEADROOM = 0.7  # of the budget, below which a step up is tried
UP_SHARE = 0.9  # of the time before a step up; single bursts are tolerated
BUCKET_S = 0.5  # measurements are the medians of such spans


@dataclass(frozen=True)
class Level:
    """One step of the ladder.

    Attributes:
        rate: one frame of `rate` frames is processed.
        size: index of the model's input size, 0 the largest.
    """

    rate: int = 1
    size: int = 0

    def describe(self, sizes: Sequence[str]) -> str:
        """The level in words; `sizes` are the names of the input sizes."""
        parts = ["every frame" if self.rate == 1 else f"one frame in {self.rate}"]
        if len(sizes) > 1:
            parts.append(f"input {sizes[self.size]}")
        return ", ".join(parts)


def ladder(sizes: int) -> list[Level]:
    """Levels for `sizes` input sizes, from the best to the cheapest."""
    return [Level(rate) for rate in RATES] + [Level(RATES[-1], size) for size in range(1, sizes)]


def check_limits(max_fps: float | None, budget_ms: float | None) -> None:
    """Raise UsageError for limits that are not above 0."""
    for name, value in (("budget_ms", budget_ms), ("max_fps", max_fps)):
        if value is not None and not 0 < value < math.inf:
            raise UsageError(f"{name} is {value:g}", "Use a number above 0")


class Governor:
    """Chooses the level by measured latency; see `FrameFilter`.

    Args:
        budget_ms: maximum latency of a frame; None keeps the level.
        max_fps: maximum number of frames processed per second of capture time; None for all.
        sizes: names of the model's input sizes, largest first.
        on_change: receives a sentence about each change of level.
    """

    def __init__(
        self,
        *,
        budget_ms: float | None = None,
        max_fps: float | None = None,
        sizes: Sequence[str] = ("",),
        on_change: Callable[[str], None] = lambda _: None,
    ) -> None:
        check_limits(max_fps, budget_ms)
        self._budget_ms = budget_ms
        self._min_interval_s = 1 / max_fps if max_fps else 0.0
        self._sizes = sizes
        self._levels = ladder(len(sizes))
        self._on_change = on_change
        self._limiter = RateLimiter()
        self._at = 0
        self._medians: deque[tuple[float, float]] = deque()
        self._bucket: list[float] = []
        self._bucket_s = 0.0
        self._wait_up_s = UP_S
        self._went_up_s: float | None = None
        self.lowest = Level()
        self.changes = 0

    @property
    def level(self) -> Level:
        """The level in force."""
        return self._levels[self._at]

    def wants(self, frame: Frame) -> bool:
        """Whether the frame keeps both the level's rate and `max_fps`."""
        rate = self.level.rate
        # At rate 1 the source's own interval must not limit it: jitter would drop frames.
        own = self._limiter.frame_s * rate if rate > 1 else 0.0
        self._limiter.interval_s = max(self._min_interval_s, own)
        return self._limiter.is_due(frame.timestamp_ns)

    def learn(self, feedback: FrameFeedback) -> None:
        """Take one measurement, at the frame's capture time."""
        if self._budget_ms is None:
            return
        now_s = feedback.frame.timestamp_ns / 1e9
        if self._bucket and now_s - self._bucket_s >= BUCKET_S:
            self._medians.append((self._bucket_s, statistics.median(self._bucket)))
            self._bucket = []
            self._decide(now_s)
        if not self._bucket:
            self._bucket_s = now_s
        self._bucket.append(feedback.latency_ms)

    def _decide(self, now_s: float) -> None:
        longest_s = max(DOWN_S, self._wait_up_s)
        while len(self._medians) > 1 and self._medians[1][0] <= now_s - longest_s:
            self._medians.popleft()
        over = self._share(now_s, DOWN_S, lambda typical: typical > self._limit_ms)
        under = self._share(now_s, self._wait_up_s, lambda typical: typical < self._headroom_ms)
        if over == 1:
            self._down(now_s)
        elif under >= UP_SHARE:
            self._up(now_s)

    @property
    def _limit_ms(self) -> float:
        return self._budget_ms or 0.0

    @property
    def _headroom_ms(self) -> float:
        return self._limit_ms * HEADROOM

    def _share(self, now_s: float, span_s: float, holds: Callable[[float], bool]) -> float:
        """The fraction of the last `span_s` seconds for which it held; 0 in the first of them."""
        recent = [median for at, median in self._medians if at >= now_s - span_s]
        whole = bool(recent) and now_s - self._medians[0][0] >= span_s - BUCKET_S / 2
        return sum(map(holds, recent)) / len(recent) if whole and len(recent) > 1 else 0.0

    def _down(self, now_s: float) -> None:
        if self._at + 1 == len(self._levels):
            return
        bounced = self._went_up_s is not None and now_s - self._went_up_s < self._wait_up_s
        self._wait_up_s = min(2 * self._wait_up_s, MAX_UP_S) if bounced else UP_S
        self._went_up_s = None
        self._move(1, "over")

    def _up(self, now_s: float) -> None:
        if self._at == 0:
            return
        self._went_up_s = now_s
        self._move(-1, "well under")

    def _move(self, step: int, why: str) -> None:
        typical = statistics.median(median for _, median in list(self._medians)[-4:])
        self._at += step
        self._medians.clear()
        self.changes += 1
        if self._at > self._levels.index(self.lowest):
            self.lowest = self.level
        self._on_change(
            f"{typical:.0f} ms per frame is {why} the budget of {self._limit_ms:g} ms: "
            f"now {self.level.describe(self._sizes)}"
        )

    def summary(self) -> str | None:
        """The changes of level, None if there were none."""
        if not self.changes:
            return None
        return (
            f"the budget of {self._limit_ms:g} ms took {self.changes} changes, down to "
            f"{self.lowest.describe(self._sizes)}; it ended at {self.level.describe(self._sizes)}"
        )
