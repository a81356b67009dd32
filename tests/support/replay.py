"""The events of a count, replayed by the example of docs/guides/count.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from tallylens.edge_runtime.counting.period_totals import PeriodTotals
from tallylens.edge_runtime.counting.report import ClassCounts, Report
from tallylens.edge_runtime.counting.totals import Totals

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "count.md"
Replayed = dict[tuple[str, str | None, str], int]


def replay_of_the_guide() -> Callable[[Iterable[str], Collection[str] | None], Replayed]:
    """The function `replay` of the guide, as it is printed there."""
    (snippet,) = re.findall(r"(import json\n.*?classes\}\n)", GUIDE.read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(snippet, names)
    function: Callable[[Iterable[str], Collection[str] | None], Replayed] = names["replay"]
    return function


def expected(report: Report | PeriodTotals) -> Replayed:
    """The totals that the events of a period must add up to, without `left`."""
    found = _of("confirmed", None, report.unique)
    for line in report.lines:
        found |= _of("crossed_in", line.name, line.crossed_in)
        found |= _of("crossed_out", line.name, line.crossed_out)
    for zone in report.zones:
        found |= _of("entered", zone.name, zone.entered)
    return found


def left(totals: Totals) -> Replayed:
    """The visits that have ended, which the core knows."""
    found: Replayed = {}
    for placed in totals.placed:
        if placed.region.kind == "zone":
            counts = totals.region_totals(placed)["left"]
            found |= _of("left", placed.name, totals.named(counts))
    return found


def _of(event: str, place: str | None, counts: ClassCounts) -> Replayed:
    return {(event, place, name): number for name, number in counts.items()}
