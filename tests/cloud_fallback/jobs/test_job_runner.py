"""Tests of the steps of a worker's job where something goes wrong around them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Connection

from tallylens.cloud_fallback.jobs import job_queue
from tallylens.cloud_fallback.jobs.database import Database
from tallylens.cloud_fallback.jobs.job_count import Detectors
from tallylens.cloud_fallback.jobs.job_queue import Claim
from tallylens.cloud_fallback.jobs.job_runner import JobRunner
from tallylens.cloud_fallback.jobs.storage import FolderStorage
from tallylens.cloud_fallback.server.models import DetectorsGoneError
from tallylens.job_model import job_model
from tests.support.job_rows import MODEL, add_job, job_row


@pytest.fixture
def runner(database: Database, tiny_model: Path, tmp_path: Path) -> JobRunner:
    detectors = Detectors(job_model(tiny_model))
    storage = FolderStorage(tmp_path / "files")
    return JobRunner(database, storage, detectors, scratch=tmp_path / "scratch")


def taken(database: Database) -> Claim:
    def work(connection: Connection) -> Claim:
        add_job(connection)
        claim = job_queue.claim(connection, "w", MODEL)
        assert claim is not None
        return claim

    return database.run(work)


class Stuck:
    """A count that fails as it is closed."""

    def close(self) -> None:
        raise OSError("the disk is full")


def test_a_fault_while_closing_leaves_the_worker_free(
    database: Database, runner: JobRunner, caplog: pytest.LogCaptureFixture
) -> None:
    """Else the worker would wait for its workflow for ever, with a heartbeat."""
    closed = []
    for _ in range(2):
        claim = taken(database)
        runner.begin(claim)
        assert not runner.finished.is_set()
        with runner.workflow():
            runner._count = Stuck()  # type: ignore[assignment]
            runner._opened.callback(lambda: closed.append(1))
        assert runner.finished.is_set()
    assert len(closed) == 2
    assert "fault while closing a job" in caplog.text


def test_a_job_whose_detectors_are_gone_is_put_off(database: Database, runner: JobRunner) -> None:
    claim = taken(database)
    runner.begin(claim)
    with runner.workflow():
        raise DetectorsGoneError("no replica of the model answers")
    row = database.run(job_row, claim.job)
    assert (row.state, row.attempts_without_progress) == ("queued", 0)
    assert row.not_before > row.created
    assert runner.finished.is_set()
