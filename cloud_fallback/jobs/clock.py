"""Times: integer microseconds since 1970 in the database, RFC 3339 in UTC outside."""

from __future__ import annotations

import time
from datetime import UTC, datetime

SECOND = 1_000_000
DAY = 86_400 * SECOND


def now_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


def rfc3339(time_us: int | None) -> str | None:
    """A time of the database as clients see it, to the millisecond; None for none."""
    if time_us is None:
        return None
    moment = datetime.fromtimestamp(time_us // 1000 / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
