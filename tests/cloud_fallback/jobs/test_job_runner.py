"""Tests of the steps of a worker's job where something goes wrong around them."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from tallylens.cloud_fallback.jobs import job_queue
from tallylens.cloud_fallback.jobs.database import Database
from tallylens.cloud_fallback.jobs.job_count import Detectors
from tallylens.cloud_fallback.jobs.job_queue import Claim
from tallylens.cloud_fallback.jobs.job_runner import JobRunner
from tallylens.cloud_fallback.jobs.storage import FolderStorage
from tallylens.cloud_fallback.jobs.tables import checkpoints, reports
from tallylens.cloud_fallback.server.models import DetectorsGoneError
from tallylens.job_model import job_model
from tests.support.job_rows import MODEL, add_job, job_row


@pytest.fixture
def runner(
    database: Database, files: FolderStorage, tiny_model: Path, tmp_path: Path
) -> Iterator[JobRunner]:
    detectors = Detectors(job_model(tiny_model))
    yield (made := JobRunner(database, files, detectors, scratch=tmp_path / "scratch"))
    made.prober.close()
    detectors.close()


@pytest.fixture
def files(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "files")


def chunks(runner: JobRunner, claim: Claim, most: int = 100) -> list[int]:
    """The first frame of each chunk that is counted, as the workflow counts them."""
    begun: list[int] = []
    runner.begin(claim)
    with runner.workflow():
        assert runner.probe()
        index: int | None = 0
        while index is not None and len(begun) < most:
            begun.append(index)
            index = runner.chunk(index)
    return begun


def spoil(connection: Connection, job: str) -> None:
    """Let the saved count be of a form that nobody knows: it begins with its version."""
    row = connection.execute(sa.select(checkpoints).where(checkpoints.c.job == job)).one()
    document = json.loads(row.body)
    state = base64.b64decode(document["tally"]["core"])
    document["tally"]["core"] = base64.b64encode(b"\xff" * 8 + state[8:]).decode()
    body = json.dumps(document)
    connection.execute(sa.update(checkpoints).where(checkpoints.c.job == job).values(body=body))


@pytest.mark.parametrize("spoiled", [False, True])
def test_a_saved_count_of_another_version_is_counted_again(
    database: Database,
    runner: JobRunner,
    files: FolderStorage,
    crossing: Path,
    caplog: pytest.LogCaptureFixture,
    spoiled: bool,
) -> None:
    """Two versions of workers at once share a queue: neither fails what the other has begun."""
    claim = taken(database)
    shutil.copyfile(crossing, files.path(claim.video))
    assert chunks(runner, claim, most=1) == [0]
    assert database.run(job_row, claim.job).frames == 24
    if spoiled:
        database.run(spoil, claim.job)
    database.run(job_queue.hand_back, claim.job, claim.attempt)
    again = database.run(job_queue.claim, "w2", runner.detectors.model.digest)
    assert again is not None
    chunks(runner, again)
    row = database.run(job_row, claim.job)
    assert (row.state, row.error, row.frames) == ("done", None, 30)
    report = database.run(lambda one: one.execute(sa.select(reports.c.document)).scalar_one())
    assert json.loads(report)["unique"] == {"car": 1, "person": 1}
    assert ("counting from the start" in caplog.text) == spoiled


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
