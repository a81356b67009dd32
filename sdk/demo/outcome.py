"""What was counted beside what is true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tallylens.edge_runtime.counting.report import ClassCounts, Report

from .actors import CLASSES
from .scene import Scene

Counts = dict[str, ClassCounts]


@dataclass(frozen=True)
class Outcome:
    """`counts` and `truth` have the same keys: unique, in, out, entered; then class names."""

    counts: Counts
    truth: Counts

    @property
    def right(self) -> bool:
        """Whether every number is the true one."""
        return self.counts == self.truth

    def rows(self) -> Iterator[tuple[str, str, int, int]]:
        """(what, class, counted, true), without what is zero in both."""
        for what, truth in self.truth.items():
            for name in CLASSES:
                counted, true = self.counts[what].get(name, 0), truth.get(name, 0)
                if counted or true:
                    yield what, name, counted, true

    @property
    def error(self) -> int:
        """The sum of the differences of all rows."""
        return sum(abs(counted - true) for _, _, counted, true in self.rows())


def compare(report: Report, scene: Scene) -> Outcome:
    """The report of counting `scene`, with its line and its zone, beside the truth."""
    line, zone, truth = report.lines[0], report.zones[0], scene.truth
    counts = {
        "unique": report.unique,
        "in": line.crossed_in,
        "out": line.crossed_out,
        "entered": zone.entered,
    }
    true = {
        "unique": truth.unique,
        "in": truth.crossed_in,
        "out": truth.crossed_out,
        "entered": truth.entered,
    }
    return Outcome(counts, true)
