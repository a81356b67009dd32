"""Rows of accounts, videos and jobs for tests that need no server."""

from __future__ import annotations

import itertools
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from tallylens.cloud_fallback.jobs.clock import now_us
from tallylens.cloud_fallback.jobs.database import insert_if_absent
from tallylens.cloud_fallback.jobs.identifiers import with_prefix
from tallylens.cloud_fallback.jobs.job_options import JobOptions
from tallylens.cloud_fallback.jobs.tables import accounts, jobs, videos
from tallylens.cloud_fallback.jobs.upload_rows import insert_job

MODEL = "0" * 64
_serial = itertools.count()


def add_job(
    connection: Connection, /, account: str = "acc_A", model: str = MODEL, **values: Any
) -> str:
    """A queued job of an account; `values` replace columns of its row."""
    now = now_us()
    insert_if_absent(connection, accounts, {"id": account, "created": now})
    job = f"job_{next(_serial):026d}"
    video = with_prefix("vid", job)
    connection.execute(
        sa.insert(videos).values(
            id=video,
            account=account,
            name="a.mp4",
            bytes=1,
            state="checking",
            created=now,
            expires=now + 10**12,
        )
    )
    insert_job(connection, job, video, account, JobOptions(), model)
    if values:
        connection.execute(sa.update(jobs).where(jobs.c.id == job).values(**values))
    return job


def job_row(connection: Connection, job: str) -> Row[Any]:
    """The row of a job."""
    return connection.execute(sa.select(jobs).where(jobs.c.id == job)).one()
