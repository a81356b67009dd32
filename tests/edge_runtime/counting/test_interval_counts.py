from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tallylens.edge_runtime.counting.interval_counts import COLUMNS, IntervalCounts
from tallylens.edge_runtime.counting.reset_schedule import parse_schedule
from tallylens.edge_runtime.counting.saved_count import SavedCount
from tallylens.edge_runtime.counting.state_file import StateFile
from tests.support.crossings import FRAMES_PER_CAR, count, push, session

HOUR_NS = 3_600_000_000_000


def table(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def sums(path: Path) -> dict[tuple[str, ...], int]:
    found: Counter[tuple[str, ...]] = Counter()
    for row in table(path):
        found[tuple(row[name] for name in COLUMNS[2:6])] += int(row["count"])
    return dict(found)


EXPECTED = {
    ("unique", "", "", "car"): 4,
    ("line", "gate", "in", "car"): 4,
    ("zone", "yard", "entered", "car"): 4,
}


def test_rows_add_up_to_the_report(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    report = count(4, [IntervalCounts(path, 10)])
    assert report.unique == {"car": 4}
    assert sums(path) == EXPECTED
    crossed = [row for row in table(path) if row["where"] == "line"]
    # Crossings at 1, 7, 13 and 19 s.
    assert [(row["start"], row["end"], row["count"]) for row in crossed] == [
        ("0", "10", "2"),
        ("10", "20", "2"),
        ("20", "30", "0"),
    ]


@pytest.mark.parametrize("offset_s", [3, 8, 10, 13])
def test_a_reset_loses_nothing(tmp_path: Path, offset_s: int) -> None:
    path = tmp_path / "counts.csv"
    report = count(
        4,
        [IntervalCounts(path, 10)],
        schedule=parse_schedule("hourly@00"),
        starts_at=HOUR_NS - offset_s * 1_000_000_000,
    )
    assert len(report.periods) == 1
    assert sums(path) == EXPECTED
    assert all(row["start"].endswith("0.000Z") for row in table(path))


def test_a_resumed_count_continues_the_file(tmp_path: Path) -> None:
    path, state = tmp_path / "counts.csv", tmp_path / "state"
    stop = 2 * FRAMES_PER_CAR + 15
    with session(3, [IntervalCounts(path, 10)], saved=SavedCount(StateFile(state), 1e6)) as first:
        push(first, 0, FRAMES_PER_CAR)
        first.counter.save()
        saved = state.read_bytes()
        push(first, FRAMES_PER_CAR, stop)
        first.conclude()
    state.write_bytes(saved)
    with session(3, [IntervalCounts(path, 10)], saved=SavedCount(StateFile(state), 1e6)) as second:
        push(second, FRAMES_PER_CAR, 4 * FRAMES_PER_CAR)
        second.conclude()
    assert second.report().unique == {"car": 4}
    assert sums(path) == EXPECTED
