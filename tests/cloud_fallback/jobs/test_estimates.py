"""Tests of estimates: when each job will be done, and which is late."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from tallylens.cloud_fallback.jobs import estimates, job_events, workers
from tallylens.cloud_fallback.jobs.clock import SECOND, now_us
from tallylens.cloud_fallback.jobs.database import Database
from tallylens.cloud_fallback.jobs.estimates import Waiting, estimate
from tests.support.job_rows import MODEL, add_job, job_row


def test_the_frames_ahead_by_the_speed_of_all_workers() -> None:
    waiting = [
        Waiting("a", "x", 400, 1000, True, 0),
        Waiting("b", "x", 0, 2000, False, 0),
        Waiting("c", "x", 0, 0, False, 0),
    ]
    # 600 frames, then 2000, then one like the others: 1500.
    assert estimate(waiting, 100.0, 0) == {
        "a": 6 * SECOND,
        "b": 26 * SECOND,
        "c": 41 * SECOND,
    }


def test_nothing_is_said_without_a_worker_that_counts() -> None:
    assert estimate([Waiting("a", "x", 0, 100, False, 0)], 0.0, 0) == {}


def test_a_job_that_will_be_late_is_told_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str]] = []

    def hook(_connection: Connection, job: str, event: str) -> None:
        told.append((job, event))

    monkeypatch.setattr(job_events, "HOOKS", (hook,))

    def work(connection: Connection) -> None:
        now = now_us()
        on_time = add_job(connection, total=100, deadline=now + 60 * SECOND)
        late = add_job(connection, total=100_000, deadline=now + 600 * SECOND)
        workers.beat(connection, "w", "host", MODEL, 100.0)
        for _ in range(2):
            found = estimates.read_estimates(connection)
        assert found.fps == 100.0
        assert told == [(late, "job.late")]
        assert job_row(connection, late).late_told
        assert not job_row(connection, on_time).late_told
        assert found.late_s(late, job_row(connection, late).deadline) == pytest.approx(401, abs=2)

    database.run(work)


def test_a_dead_worker_counts_for_nothing(database: Database) -> None:
    def work(connection: Connection) -> None:
        workers.beat(connection, "w", "host", MODEL, 100.0)
        connection.execute(sa.text("UPDATE workers SET seen = 0"))
        assert estimates.read_estimates(connection).fps == 0.0

    database.run(work)
