"""Rate limits: what the user asks of rate control, and the frame filters that keep it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..sources import no_notice
from .adaptive_sampling import AdaptiveSampler
from .frame_filter import FrameFilter
from .governor import Governor, check_limits

SAMPLE_MODES = ("all", "auto")


@dataclass(frozen=True)
class RateLimits:
    """The limits of one count.

    Args:
        max_fps: maximum number of frames processed per second of capture time; None for all.
        budget_ms: maximum latency of a frame; None for any.
        sample: `all` frames, or `auto`: only those that the objects' speed needs.
        on_change: receives a sentence about each change of level.

    Raises:
        UsageError: a limit that is not above 0, or an unknown `sample`.
    """

    max_fps: float | None = None
    budget_ms: float | None = None
    sample: str = "all"
    on_change: Callable[[str], None] = no_notice

    def __post_init__(self) -> None:
        check_limits(self.max_fps, self.budget_ms)
        if self.sample not in SAMPLE_MODES:
            raise UsageError(f"sample is {self.sample!r}", "Use 'all' or 'auto'")

    def governor(self, sizes: Sequence[str]) -> Governor:
        """A governor of these limits for a model of these input sizes, largest first."""
        return Governor(
            budget_ms=self.budget_ms, max_fps=self.max_fps, sizes=sizes, on_change=self.on_change
        )

    def filters(self, governor: Governor) -> list[FrameFilter]:
        """The governor, and the sampler if asked for."""
        return [governor, *([AdaptiveSampler()] if self.sample == "auto" else [])]
