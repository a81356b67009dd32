"""The number of model replicas that the load calls for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tallylens.cloud_fallback.cluster.autoscaling import Load, wanted_replicas


def context(now: int, **metrics: list[float]) -> Any:
    return SimpleNamespace(
        current_num_replicas=now,
        aggregated_metrics={name: dict(enumerate(values)) for name, values in metrics.items()},
        capacity_adjusted_min_replicas=1,
        capacity_adjusted_max_replicas=4,
    )


@pytest.mark.parametrize(
    ("now", "busy", "waited_s", "wanted"),
    [
        (2, [0.7, 0.7], [0.0, 0.0], 2),
        (2, [0.9, 0.9], [0.0, 0.0], 3),
        (2, [0.1, 0.1], [0.0, 0.0], 1),
        (2, [0.1, 0.1], [0.0, 0.3], 3),
        (4, [1.0] * 4, [0.3] * 4, 4),
        (2, [0.0, 0.0], [0.0, 0.0], 1),
    ],
)
def test_replicas_follow_the_load_and_the_wait(
    now: int, busy: list[float], waited_s: list[float], wanted: int
) -> None:
    assert wanted_replicas(context(now, busy=busy, waited_s=waited_s)) == (wanted, {})


def test_without_metrics_nothing_changes() -> None:
    assert wanted_replicas(context(3)) == (3, {})


def test_a_replica_tells_what_happened_since_it_was_asked() -> None:
    load = Load(10.0)
    load.worked(0.5)
    load.worked(0.2)
    load.waited(0.1)
    load.waited(0.05)
    assert load.stats(11.0) == {"busy": pytest.approx(0.7), "waited_s": 0.1}
    assert load.stats(12.0) == {"busy": 0.0, "waited_s": 0.0}
