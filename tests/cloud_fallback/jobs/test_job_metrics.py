"""Tests of the metrics of uploaded videos: the numbers of the database, and the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import Connection

from tallylens.cloud_fallback.jobs import job_queue, workers
from tallylens.cloud_fallback.jobs.clock import SECOND, now_us
from tallylens.cloud_fallback.jobs.database import Database
from tallylens.cloud_fallback.jobs.job_metrics import JobMetrics, JobNumbers, read_numbers
from tests.support.job_rows import MODEL, add_job
from tests.support.video_server import VideoServer


def test_nothing_waits_at_first(database: Database) -> None:
    assert database.run(read_numbers) == JobNumbers()


def test_the_numbers_of_jobs_and_workers(database: Database) -> None:
    now = now_us()

    def work(connection: Connection) -> JobNumbers:
        add_job(connection, created=now - 90 * SECOND, state="done")
        add_job(connection, created=now - 60 * SECOND, not_before=now + 60 * SECOND)
        add_job(connection, created=now - 30 * SECOND, late_told=True)
        add_job(connection, created=now - 50 * SECOND, deadline=0)
        assert job_queue.claim(connection, "w1", MODEL) is not None
        workers.beat(connection, "w1", "host", MODEL, 100.0)
        workers.beat(connection, "w2", "host", MODEL, 50.0)
        return read_numbers(connection)

    found = database.run(work)
    assert found.states == {"queued": 2, "running": 1}
    assert found.oldest_us == now - 30 * SECOND
    assert (found.late, found.workers, found.fps) == (1, 2, 150.0)


def test_a_worker_without_a_heartbeat_counts_for_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(connection: Connection) -> JobNumbers:
        workers.beat(connection, "w1", "host", MODEL, 100.0)
        monkeypatch.setattr("tallylens.cloud_fallback.jobs.job_metrics.DEAD_S", -1.0)
        return read_numbers(connection)

    assert database.run(work).workers == 0


def test_the_gauges(database: Database, tmp_path: Path) -> None:
    registry = CollectorRegistry()
    metrics = JobMetrics(registry, database, tmp_path)
    metrics.show(JobNumbers({"queued": 3}, now_us() - 100 * SECOND, 1, 2, 30.0))
    text = generate_latest(registry).decode()
    assert 'tallylens_jobs{state="queued"} 3.0' in text
    assert 'tallylens_jobs{state="running"} 0.0' in text
    (age,) = re.findall(r"^tallylens_oldest_job_age_seconds (\S+)$", text, re.MULTILINE)
    assert 100 <= float(age) < 160
    (free,) = re.findall(r"^tallylens_upload_free_bytes (\S+)$", text, re.MULTILINE)
    assert float(free) > 0


def test_the_page_has_them(idle_server: VideoServer) -> None:
    answer = idle_server.client.get("/metrics", headers=idle_server.headers(idle_server.other_key))
    assert answer.status_code == 403
    page = idle_server.client.get("/metrics", headers=idle_server.headers(idle_server.weak_key))
    assert "tallylens_database_up 1.0" in page.text
