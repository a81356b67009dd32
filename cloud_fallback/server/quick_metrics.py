"""Counters and histograms that the event loop updates for every frame, at the cost of an addition.

Those of prometheus_client take a lock and look their labels up each time, which is a tenth of what
a frame costs. These belong to the event loop, and are read by the registry when it is asked.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector


class QuickCounter(Collector):
    """Counts by one label."""

    def __init__(self, name: str, help_text: str, label: str) -> None:
        self._name, self._help, self._label = name, help_text, label
        self.counts: Counter[str] = Counter()

    def collect(self) -> Iterable[Metric]:
        """The counts so far."""
        family = CounterMetricFamily(self._name, self._help, labels=[self._label])
        for value, count in list(self.counts.items()):
            family.add_metric([value], count)
        yield family


class QuickHistogram(Collector):
    """How many values were observed up to each bound."""

    def __init__(self, name: str, help_text: str, bounds: Sequence[float]) -> None:
        self._name, self._help, self._bounds = name, help_text, list(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Note a value."""
        self._counts[bisect_left(self._bounds, value)] += times
        self._sum += value * times

    def collect(self) -> Iterable[Metric]:
        """The counts so far, cumulative."""
        buckets, total = [], 0
        for bound, count in zip([*self._bounds, math.inf], self._counts, strict=True):
            total += count
            buckets.append((_bound_text(bound), float(total)))
        yield HistogramMetricFamily(self._name, self._help, buckets=buckets, sum_value=self._sum)


def _bound_text(bound: float) -> str:
    """As prometheus_client writes one: `+Inf`, `8.0`, `0.005`."""
    return "+Inf" if bound == math.inf else str(float(bound))
