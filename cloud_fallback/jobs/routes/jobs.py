"""`/v1/jobs`: the state of jobs, and changing it."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Path
from sqlalchemy import Connection, Row

from ..accounts import AccountOf, VideosOf
from ..problems import not_found
from ..tables import jobs
from ..views import job_document

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
JobId = Annotated[str, Path(alias="job", max_length=64)]


@router.get("/{job}")
async def one(service: VideosOf, account: AccountOf, job: JobId) -> dict[str, Any]:
    """One job."""
    return job_document(await service.database.call(find_job, account.id, job))


def find_job(connection: Connection, account: str, job: str) -> Row[Any]:
    """The row of an account's job; raises ProblemError (404) if there is none."""
    row = connection.execute(
        sa.select(jobs).where(jobs.c.id == job, jobs.c.account == account)
    ).one_or_none()
    if row is None:
        raise not_found("job")
    return row
