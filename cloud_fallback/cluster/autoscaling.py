"""Number of model replicas that the load calls for, computed from Ray's metrics."""

from __future__ import annotations

import math
from typing import Any

# Share of the time that a replica should be busy: below it batches only become smaller.
BUSY = 0.7
# Frames that wait longer than this wait for too few replicas, however busy these are.
WAIT_S = 0.1


class Load:
    """How busy one replica is, and how long frames waited for it, since it was last asked."""

    def __init__(self, now: float) -> None:
        self._since, self._busy_s, self._waited_s = now, 0.0, 0.0

    def waited(self, seconds: float) -> None:
        """Note how long the oldest frame of a batch waited."""
        self._waited_s = max(self._waited_s, seconds)

    def worked(self, seconds: float) -> None:
        """Note how long a batch took."""
        self._busy_s += seconds

    def stats(self, now: float) -> dict[str, float]:
        """`busy`, a share of the time, and `waited_s`, since the last call."""
        busy = min(1.0, self._busy_s / max(1e-3, now - self._since))
        stats = {"busy": busy, "waited_s": self._waited_s}
        self._since, self._busy_s, self._waited_s = now, 0.0, 0.0
        return stats


def wanted_replicas(context: Any) -> tuple[float, dict[str, Any]]:
    """The number with which each is busy for 70% of the time; one more where frames wait long."""
    now = int(context.current_num_replicas)
    metrics = context.aggregated_metrics or {}
    busy, waited = (list(metrics.get(name, {}).values()) for name in ("busy", "waited_s"))
    wanted = math.ceil(sum(busy) / BUSY) if busy else now
    if waited and max(waited) > WAIT_S:
        wanted = max(wanted, now + 1)
    low, high = context.capacity_adjusted_min_replicas, context.capacity_adjusted_max_replicas
    return float(min(max(wanted, low), high)), {}
