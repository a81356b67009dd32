"""Schedules of resets: `--reset daily@00:00`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from ..errors import UsageError

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class Schedule:
    """Every day, or every hour where `hour` is None, at a time of this machine's wall clock."""

    hour: int | None
    minute: int

    def next_after(self, epoch_ns: int) -> int:
        """The first such moment after `epoch_ns`, both in nanoseconds since 1970."""
        now = datetime.fromtimestamp(epoch_ns // NANOSECONDS)
        if self.hour is None:
            # An hour is an hour, even when clocks are put forward or back.
            past = now.minute * 60 + now.second - self.minute * 60
            return (epoch_ns // NANOSECONDS - past % 3600 + 3600) * NANOSECONDS
        day = now.date()
        while True:
            moment = datetime.combine(day, time(self.hour, self.minute))
            reset_ns = int(moment.timestamp()) * NANOSECONDS
            if reset_ns > epoch_ns:
                return reset_ns
            day += timedelta(days=1)


def parse_schedule(text: str) -> Schedule:
    """`daily@HH:MM` or `hourly@MM`.

    Raises:
        UsageError: any other text.
    """
    daily = re.fullmatch(r"daily@([01]?\d|2[0-3]):([0-5]\d)", text, re.ASCII)
    if daily is not None:
        return Schedule(int(daily[1]), int(daily[2]))
    hourly = re.fullmatch(r"hourly@:?([0-5]?\d)", text, re.ASCII)
    if hourly is not None:
        return Schedule(None, int(hourly[1]))
    raise UsageError(f"unknown schedule {text!r}", "Use daily@HH:MM or hourly@MM")


def parse_moment(text: str) -> int:
    """An ISO date and time to nanoseconds since 1970; local time unless it names a zone.

    Raises:
        UsageError: not a date and time.
    """
    try:
        moment = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
        return round(moment.timestamp() * 1000) * 1_000_000
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(
            f"invalid date and time {text!r}", "Use the form 2026-05-01T08:00:00"
        ) from error
