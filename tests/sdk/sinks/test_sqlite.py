from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tallylens import Report
from tallylens.edge_runtime.counting.events import EventStream
from tallylens.edge_runtime.counting.reset_schedule import parse_schedule
from tallylens.edge_runtime.counting.saved_count import SavedCount
from tallylens.edge_runtime.counting.state_file import StateFile
from tallylens.sinks import open_sink
from tests.support.crossings import FRAMES_PER_CAR, count, push, session
from tests.support.replay import expected, replay_of_the_guide

HOUR_NS = 3_600_000_000_000


def rows(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(query)]


def events_add_up(path: Path, report: Report) -> None:
    lines = (json.dumps(row) for row in rows(path, "SELECT * FROM events ORDER BY sequence"))
    found = replay_of_the_guide()(lines, None)
    assert {key: n for key, n in found.items() if key[0] != "left"} == expected(report)


def test_rows_are_the_events_and_add_up_to_the_report(tmp_path: Path) -> None:
    path = tmp_path / "counts.db"
    stream = EventStream(tmp_path / "events.jsonl")
    report = count(4, [open_sink(f"sqlite:///{path}"), stream])
    assert report.warnings == ()
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    names = ", ".join(f'"{name}"' for name in lines[0])
    assert rows(path, f"SELECT {names} FROM events ORDER BY sequence") == lines
    events_add_up(path, report)


def test_periods_are_rows(tmp_path: Path) -> None:
    path = tmp_path / "counts.db"
    report = count(
        3,
        [open_sink(f"sqlite:///{path}")],
        schedule=parse_schedule("hourly@00"),
        starts_at=HOUR_NS - 8_000_000_000,
    )
    (period,) = report.periods
    found = rows(path, 'SELECT "where", name, direction, class, count FROM periods')
    assert {"where": "unique", "name": "", "direction": "", "class": "car", "count": 2} in found
    assert {
        "where": "line", "name": "gate", "direction": "in", "class": "car", "count": 2
    } in found  # fmt: skip
    assert {row["end"] for row in rows(path, "SELECT * FROM periods")} == {period.end}


def test_a_resumed_count_replaces_the_rows_that_it_counts_again(tmp_path: Path) -> None:
    path, state = tmp_path / "counts.db", tmp_path / "state"
    url = f"sqlite:///{path}"
    with session(3, [open_sink(url)], saved=SavedCount(StateFile(state), 1e6)) as killed:
        push(killed, 0, FRAMES_PER_CAR)
        killed.counter.save()
        saved = state.read_bytes()
        push(killed, FRAMES_PER_CAR, 3 * FRAMES_PER_CAR)
        killed.conclude()
    assert len(rows(path, "SELECT * FROM events WHERE event = 'crossed_in'")) == 3
    state.write_bytes(saved)
    with session(3, [open_sink(url)], saved=SavedCount(StateFile(state), 1e6)) as counting:
        push(counting, FRAMES_PER_CAR, 2 * FRAMES_PER_CAR)
        counting.conclude()
    events_add_up(path, counting.report())
    assert counting.report().unique == {"car": 2}


def test_a_full_database_is_reported_and_nothing_is_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    def small(*arguments: Any, **options: Any) -> sqlite3.Connection:
        database: sqlite3.Connection = connect(*arguments, **options)
        database.execute("PRAGMA max_page_count = 8")
        return database

    monkeypatch.setattr("sqlite3.connect", small)
    path = tmp_path / "counts.db"
    spool = tmp_path / "spool"
    sink = open_sink(f"sqlite:///{path}", spool=spool)
    sink._finish_s = 0.05
    report = count(60, [sink])
    assert report.lines[0].crossed_in == {"car": 60}
    (warning,) = report.warnings
    assert "events were not delivered (database or disk is full); they are kept in" in warning
    monkeypatch.undo()
    count(1, [open_sink(f"sqlite:///{path}", spool=spool)])
    assert len(rows(path, "SELECT * FROM events WHERE event = 'crossed_in'")) == 61


def test_a_file_that_is_no_database_is_reported(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database " * 100)
    sink = open_sink(f"sqlite:///{tmp_path / 'notes.txt'}")
    sink._finish_s = 0.05
    (warning,) = count(1, [sink]).warnings
    assert "file is not a database" in warning
