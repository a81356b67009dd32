"""The periods that scheduled resets close, by the wall clock of the frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .events import wall_clock
from .packing import pack, unpack
from .period_totals import Period, PeriodTotals
from .reset_schedule import Schedule

MAX_PERIODS = 1000


class Periods:
    """Knows when a period is over, and keeps the last MAX_PERIODS.

    Args:
        schedule: when totals are reset; None for never.

    Attributes:
        closed: the periods that are over, oldest first.
    """

    def __init__(self, schedule: Schedule | None) -> None:
        self.closed: list[Period] = []
        self._schedule = schedule
        self._start_ns: int | None = None
        self._reset_ns: int | None = None

    @property
    def scheduled(self) -> bool:
        """Whether periods end at all."""
        return self._schedule is not None

    def span_closed_at(self, now_ns: int) -> tuple[int, int] | None:
        """Start and end of the period that is over at the wall clock `now_ns`, None if none is.

        All three are in nanoseconds since 1970.
        """
        if self._schedule is None:
            return None
        span = None
        if self._reset_ns is None:
            self._start_ns = now_ns
        elif now_ns < self._reset_ns:
            return None
        else:
            span = (self._start_ns or 0, self._reset_ns)
            self._start_ns = self._reset_ns
        self._reset_ns = self._schedule.next_after(now_ns)
        return span

    def close(self, span: tuple[int, int], totals: PeriodTotals) -> Period:
        """Keep the totals of a period."""
        start, end = (wall_clock(moment, 0) or "" for moment in span)
        period = Period.of(totals.unique, totals.regions, start=start, end=end)
        self.closed = [*self.closed, period][-MAX_PERIODS:]
        return period

    def save(self) -> dict[str, Any]:
        """The periods' part of a saved count."""
        return {
            "reset_ns": self._reset_ns,
            "period_ns": self._start_ns,
            "periods": pack([period.as_dict() for period in self.closed]),
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Resume from what `save` gave.

        Raises:
            KeyError, TypeError: not such values.
        """
        self.closed = [Period.from_dict(period) for period in unpack(saved["periods"])]
        self._reset_ns, self._start_ns = saved["reset_ns"], saved["period_ns"]
