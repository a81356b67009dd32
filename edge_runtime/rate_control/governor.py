"""The governor: keeps a latency budget, a frame rate and the temperature, in steps that it reports.

    full rate → half → quarter → smaller input → ...

It decides in the core (`tally_governor` in tally.h, where the rules are described), for every
language alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.native import Handle, ffi, int64, lib, struct
from ..core.native import options as core_options
from ..core.reasons import reason_text
from ..errors import UsageError
from ..types import Frame
from .frame_filter import FrameFeedback

THERMAL_STATES = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
_CHANGES = 16


@dataclass(frozen=True)
class Level:
    """One step of the ladder.

    Attributes:
        rate: one frame of `rate` frames is processed.
        size: index of the model's input size, 0 the largest.
    """

    rate: int = 1
    size: int = 0

    @classmethod
    def of(cls, level: Any) -> Level:
        """A `tally_level`."""
        return cls(level.rate, level.size)

    def describe(self, sizes: Sequence[str]) -> str:
        """The level in words; `sizes` are the names of the input sizes."""
        parts = ["every frame" if self.rate == 1 else f"one frame in {self.rate}"]
        if len(sizes) > 1:
            parts.append(f"input {sizes[self.size]}")
        return ", ".join(parts)


def ladder(sizes: int) -> list[Level]:
    """Levels for `sizes` input sizes, from the best to the cheapest."""
    handle = Handle("governor", core_options("governor", num_sizes=sizes))
    levels, count = ffi.new("tally_level[]", 64), ffi.new("int32_t *")
    handle.call(lib.tally_governor_ladder, levels, len(levels), count)
    return [Level.of(levels[i]) for i in range(count[0])]


def check_limits(max_fps: float | None, budget_ms: float | None) -> None:
    """Raise UsageError for limits that are not above 0."""
    for name, value in (("budget_ms", budget_ms), ("max_fps", max_fps)):
        if value is not None and not 0 < value < math.inf:
            raise UsageError(f"{name} is {value:g}", "Use a number above 0")


class Governor:
    """Chooses the level by measured latency and heat; see `FrameFilter`.

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
        self._sizes = sizes
        self._on_change = on_change
        self._handle = Handle(
            "governor",
            core_options(
                "governor",
                num_sizes=len(sizes),
                budget_ms=budget_ms or 0.0,
                max_fps=max_fps or 0.0,
            ),
        )
        self._wanted = ffi.new("int32_t *")
        self._taken = ffi.new("int32_t *")
        self._changes = ffi.new("tally_level_change[]", _CHANGES)

    @property
    def level(self) -> Level:
        """The level in force."""
        return Level.of(self._state().level)

    @property
    def lowest(self) -> Level:
        """The cheapest level so far."""
        return Level.of(self._state().lowest)

    @property
    def changes(self) -> int:
        """Number of changes of level."""
        return int(self._state().changes)

    def _state(self) -> Any:
        state = struct("governor_state")
        self._handle.call(lib.tally_governor_get_state, state)
        return state

    def wants(self, frame: Frame) -> bool:
        """Whether the frame keeps both the level's rate and `max_fps`."""
        self._handle.call(
            lib.tally_governor_wants, int64(frame.timestamp_ns), self._wanted, ffi.NULL
        )
        self._tell()
        return bool(self._wanted[0])

    def learn(self, feedback: FrameFeedback) -> None:
        """Take one measurement, at the frame's capture time."""
        self._handle.call(
            lib.tally_governor_learn, int64(feedback.frame.timestamp_ns), feedback.latency_ms
        )
        self._tell()

    def set_thermal(self, state: str) -> None:
        """Take the device's thermal state, one of THERMAL_STATES."""
        self._handle.call(lib.tally_governor_set_thermal, THERMAL_STATES.index(state))
        self._tell()

    def set_headroom(self, headroom: float) -> None:
        """Take a forecast of the device's heat, where 1 is severe; NaN if it is not known."""
        self._handle.call(lib.tally_governor_set_headroom, headroom)
        self._tell()

    def _tell(self) -> None:
        self._handle.call(lib.tally_governor_take_changes, self._changes, _CHANGES, self._taken)
        for change in self._changes[0 : self._taken[0]]:
            self._on_change(f"{self._why(change)}: now {self._describe(change)}")

    def _why(self, change: Any) -> str:
        why = reason_text(change.reason)
        if not change.latency_ms:
            return why
        return f"{change.latency_ms:.0f} ms per frame is {why} of {self._budget_ms:g} ms"

    def _describe(self, change: Any) -> str:
        return "no frames" if change.paused else Level.of(change.level).describe(self._sizes)

    def summary(self) -> str | None:
        """The changes of level, None if there were none."""
        state = self._state()
        if not state.changes:
            return None
        lowest, level = (Level.of(one).describe(self._sizes) for one in (state.lowest, state.level))
        kept = (
            "the temperature"
            if self._budget_ms is None
            else f"the budget of {self._budget_ms:g} ms"
        )
        return f"{kept} took {state.changes} changes, down to {lowest}; it ended at {level}"
