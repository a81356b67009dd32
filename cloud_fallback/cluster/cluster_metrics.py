"""The metrics of all processes of a cluster as one page, told apart by the label `replica`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric


class _Families:
    """Has the one method of a registry that `generate_latest` calls."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> list[Metric]:
        """The families."""
        return self._families


def merged(by_process: Mapping[str, Sequence[Metric]]) -> list[Metric]:
    """One family for each name, with the samples of all processes."""
    found: dict[str, Metric] = {}
    for process, families in sorted(by_process.items()):
        for one in families:
            family = found.setdefault(one.name, Metric(one.name, one.documentation, one.type))
            for sample in one.samples:
                labels = {**sample.labels, "replica": process}
                family.samples.append(sample._replace(labels=labels))
    return list(found.values())


def text_of(by_process: Mapping[str, Sequence[Metric]]) -> bytes:
    """All of them in the text exposition format."""
    registry: Any = _Families(merged(by_process))
    return bytes(generate_latest(registry))
