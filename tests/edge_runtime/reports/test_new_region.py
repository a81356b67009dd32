"""A counting rule that is not a line or zone is in every report, without a word of it elsewhere."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from rich.console import Console

from tallylens import Report
from tallylens.edge_runtime.counting.history import History
from tallylens.edge_runtime.counting.period_totals import Period
from tallylens.edge_runtime.counting.regions import REGIONS, read_reports
from tallylens.edge_runtime.counting.report import LineReport, Speed
from tallylens.edge_runtime.counting.zone import Zone
from tallylens.edge_runtime.reports.count_page import to_html
from tallylens.terminal.table import print_report


@dataclass(frozen=True)
class QueueReport:
    """A queue's length, and how long it took to the counter."""

    kind: ClassVar[str] = "queue"

    name: str
    waiting: dict[str, int]
    wait_s: float

    def counts(self) -> dict[str, dict[str, int]]:
        return {"waiting": self.waiting}

    def durations_s(self) -> dict[str, float]:
        return {"mean wait": self.wait_s}

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "waiting": self.waiting, "wait_s": self.wait_s}


class Queue(Zone):
    """A polygon whose reports are of another kind."""

    kind = "queue"
    plural = "queues"

    @classmethod
    def read_report(cls, document: Mapping[str, Any]) -> Any:
        return QueueReport(**document)


TILL = QueueReport("till", {"person": 4}, 37.5)


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Report:
    monkeypatch.setitem(REGIONS, "queue", Queue)
    history = History((100, 100))
    monkeypatch.setattr(history, "picture", lambda: b"jpeg")
    history.heat[0, 0] = np.uint32(1)
    return Report(
        source="shop.mp4",
        model="m",
        engine="e",
        frames=9,
        seconds=1.0,
        unique={"person": 4},
        lines=(LineReport("door", {"person": 4}, {}),),
        zones=(),
        others=(TILL,),
        occupancy=(),
        warnings=(),
        speed=Speed(25.0, 9.0, 0.3),
        periods=(Period.of({}, [TILL], start="8", end="9"),),
        outlines=(((0, 50), (100, 50)), ((0, 0), (50, 0), (50, 50))),
        history=history,
    )


def test_the_document_has_a_key_for_the_kind(report: Report) -> None:
    document = json.loads(report.to_json())
    assert document["queues"] == [{"name": "till", "waiting": {"person": 4}, "wait_s": 37.5}]
    assert [document["lines"][0]["name"], document["zones"]] == ["door", []]
    assert list(document)[5:9] == ["unique", "lines", "zones", "queues"]


def test_a_period_is_read_back(report: Report) -> None:
    (period,) = report.periods
    assert Period.from_dict(json.loads(json.dumps(period.as_dict()))) == period
    assert read_reports(period.as_dict()) == [TILL]


def test_its_rows_are_in_the_tables(report: Report) -> None:
    assert "queue,till,waiting,person,4\n" in report.to_csv()
    out = io.StringIO()
    print_report(report, Console(file=out, width=100))
    assert "till waiting" in out.getvalue()
    assert "till: mean wait 37.5 s\n" in out.getvalue()


def test_the_page_shows_totals_durations_and_outline(report: Report) -> None:
    page = to_html(report)
    for shown in ("till, waiting", "<th>mean wait</th>", "37.5 s", "till waiting 4"):
        assert shown in page
    assert '<polygon points="0.0,0.0 50.0,0.0 50.0,50.0"' in page
