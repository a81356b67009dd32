"""Tests of the sweep: what a crash left is completed, what has expired is deleted."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tallylens.cloud_fallback.jobs import sweep as sweeping
from tallylens.cloud_fallback.jobs.accounts import Account
from tallylens.cloud_fallback.jobs.announcement import Announced
from tallylens.cloud_fallback.jobs.clock import now_us
from tallylens.cloud_fallback.jobs.database import Database, insert_if_absent
from tallylens.cloud_fallback.jobs.identifiers import new_id, with_prefix
from tallylens.cloud_fallback.jobs.job_options import JobOptions
from tallylens.cloud_fallback.jobs.job_queue import NEVER
from tallylens.cloud_fallback.jobs.plans import UNLIMITED, Plan, Plans
from tallylens.cloud_fallback.jobs.storage import FolderStorage
from tallylens.cloud_fallback.jobs.sweep import Sweep
from tallylens.cloud_fallback.jobs.tables import accounts, jobs, uploads, usage, videos
from tallylens.cloud_fallback.jobs.uploads import Uploads
from tests.support.job_rows import MODEL, add_job, job_row

ACCOUNT = Account("acc_A", UNLIMITED)
DAY_US = 86_400 * 10**6


class Service:
    """Uploads and their sweep on a database of its own."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, FolderStorage(folder)
        plans = Plans({"short": Plan(keep_days=2.0)})
        self.uploads = Uploads(database, self.folder, self.folder, MODEL, plans)
        self.sweep = Sweep(database, self.folder, self.folder, self.uploads)
        row = {"id": ACCOUNT.id, "email": "a@example.org", "plan": "short", "created": 0}
        database.run(insert_if_absent, accounts, row)

    def run(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        return asyncio.run(work())

    def sweep_once(self) -> None:
        self.run(self.sweep.sweep)

    def create(self, length: int = 5) -> str:
        given = Announced(length, "a.mp4", JobOptions())
        upload, _ = self.run(lambda: self.uploads.create(ACCOUNT, given))
        return str(upload)

    def one(self, query: sa.Select[Any]) -> Any:
        return self.database.run(lambda connection: connection.execute(query).one_or_none())


@pytest.fixture
def service(database: Database, tmp_path: Path) -> Service:
    return Service(database, tmp_path / "files")


def _execute(statement: sa.Update, connection: sa.Connection, /) -> None:
    connection.execute(statement)


def test_a_complete_file_becomes_a_job_once(service: Service) -> None:
    upload = service.create()
    service.folder.path(upload).write_bytes(b"12345")
    for _ in range(2):
        service.sweep_once()
    video = service.one(sa.select(videos))
    assert (video.id, video.state, video.name) == (with_prefix("vid", upload), "checking", "a.mp4")
    assert video.expires - video.created == 2 * DAY_US
    job = service.one(sa.select(jobs))
    assert (job.id, job.state) == (with_prefix("job", upload), "queued")
    assert service.one(sa.select(usage)).state == "reserved"
    assert service.one(sa.select(uploads)) is None
    assert service.folder.path(upload).read_bytes() == b"12345"


def test_a_file_that_is_not_complete_waits(service: Service) -> None:
    upload = service.create()
    service.folder.path(upload).write_bytes(b"1234")
    service.sweep_once()
    assert service.one(sa.select(uploads)).id == upload
    assert service.one(sa.select(jobs)) is None


def test_expired_uploads_and_videos_are_deleted(service: Service) -> None:
    upload = service.create()
    job = service.database.run(add_job, frames=7)
    video = with_prefix("vid", job)
    service.folder.path(video).write_bytes(b"video")
    past = now_us() - 1
    for table in (uploads, videos):
        statement = sa.update(table).values(expires=past)
        service.database.run(partial(_execute, statement))
    service.sweep_once()
    for table in (uploads, videos, jobs):
        assert service.one(sa.select(table)) is None
    assert not service.folder.path(upload).exists()
    assert not service.folder.path(video).exists()
    kept = service.one(sa.select(usage))
    assert (kept.state, kept.frames) == ("settled", 7)


def test_old_files_without_a_row_are_deleted(service: Service) -> None:
    known = service.create()
    orphan, young = new_id("vid"), new_id("vid")
    for name in (orphan, young):
        service.folder.path(name).write_bytes(b"x")
    foreign = service.folder.folder / "readme.txt"
    foreign.write_text("not ours")
    for path in (service.folder.path(orphan), service.folder.path(known), foreign):
        os.utime(path, (0, 0))
    service.sweep_once()
    assert not service.folder.path(orphan).exists()
    for path in (service.folder.path(known), service.folder.path(young), foreign):
        assert path.exists()
    assert sweeping.ORPHAN_S >= 600


def test_a_job_whose_twin_is_gone_is_woken(service: Service) -> None:
    waits = service.database.run(add_job, same_as=new_id("job"), not_before=NEVER)
    active = service.database.run(add_job)
    still = service.database.run(add_job, same_as=active, not_before=NEVER)
    service.sweep_once()
    woken = service.database.run(job_row, waits)
    assert (woken.same_as, woken.not_before) == (None, 0)
    assert service.database.run(job_row, still).not_before == NEVER
