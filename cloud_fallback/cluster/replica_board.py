"""Reports of the processes of a cluster: use of each key, metrics, and the planned end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..server.key_use import NO_USE, KeyUse

# A process without a report for longer has ended.
SILENCE_S = 15.0


@dataclass(frozen=True)
class Report:
    """Of one process.

    Args:
        uses: of each key here, by hash of the key; the frames are those since the last report.
        metrics: metric families of prometheus_client.
        drained: whether it has closed its connections, because the cluster is about to end.
    """

    uses: Mapping[str, KeyUse] = field(default_factory=dict)
    metrics: Sequence[Any] = ()
    drained: bool = False


@dataclass(frozen=True)
class News:
    """For one process.

    Args:
        others: use of each key by the other processes, by hash of the key.
        draining: whether the cluster is about to end.
    """

    others: Mapping[str, KeyUse]
    draining: bool = False


class ReplicaBoard:
    """The newest report of each process, in memory; one Ray actor holds it."""

    def __init__(self) -> None:
        self._reports: dict[str, tuple[float, Report]] = {}
        self._frames: dict[str, dict[str, int]] = {}
        self._day = 0
        self._draining = False

    def exchange(self, process: str, report: Report) -> News:
        """Note a report, and answer with what the other processes have reported."""
        now = time.monotonic()
        self._forget_ended(now)
        self._reports[process] = now, report
        for key, use in report.uses.items():
            by_process = self._frames.setdefault(key, {})
            by_process[process] = by_process.get(process, 0) + use.frames
        return News(self._others(process), self._draining)

    def metrics(self) -> dict[str, Sequence[Any]]:
        """The metric families of each process."""
        self._forget_ended(time.monotonic())
        return {process: report.metrics for process, (_, report) in self._reports.items()}

    def drain(self) -> None:
        """The cluster is about to end: every process is to close its connections."""
        self._draining = True

    def drained(self) -> bool:
        """Whether each process that takes connections has closed them."""
        self._forget_ended(time.monotonic())
        return all(report.drained for _, report in self._reports.values())

    def _others(self, process: str) -> dict[str, KeyUse]:
        """Use by the other processes; the frames of today include those of processes that ended."""
        found: dict[str, KeyUse] = {}
        for name, (_, report) in self._reports.items():
            for key, use in report.uses.items() if name != process else ():
                old = found.get(key, NO_USE)
                connections = old.connections + use.connections
                found[key] = KeyUse(connections, 0, old.per_second + use.per_second)
        for key, by_process in self._frames.items():
            frames = sum(count for name, count in by_process.items() if name != process)
            if frames:
                found[key] = replace(found.get(key, NO_USE), frames=frames)
        return found

    def _forget_ended(self, now: float) -> None:
        """Forget processes that ended, and the frames of yesterday."""
        for process, (when, _) in list(self._reports.items()):
            if now - when > SILENCE_S:
                del self._reports[process]
        day = int(time.time() // 86400)
        if day != self._day:
            self._day, self._frames = day, {}
