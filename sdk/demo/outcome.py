"""Compares the counts of the demo with the true ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tallylens.edge_runtime.counting.report import ClassCounts, Report

from .actors import CLASSES
from .scene import Scene

Counts = dict[str, ClassCounts]


@dataclass(frozen=True)
class Outcome:
    """Counts and truth of one scene.

    Both are {unique, in, out, entered: {class name: number}}.
    """

    counts: Counts
    truth: Counts

    @property
    def right(self) -> bool:
        """Whether all counts are correct."""
        return self.counts == self.truth

    def rows(self) -> Iterator[tuple[str, str, int, int]]:
        """(total, class name, counted, true), without rows where both are zero."""
        for what, truth in self.truth.items():
            for name in CLASSES:
                counted, true = self.counts[what].get(name, 0), truth.get(name, 0)
                if counted or true:
                    yield what, name, counted, true

    @property
    def error(self) -> int:
        """The sum of the absolute differences of all rows."""
        return sum(abs(counted - true) for _, _, counted, true in self.rows())


def compare(report: Report, scene: Scene) -> Outcome:
    """Compare a report of `scene`, counted with its line and zone, with the truth."""
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
