"""`/v1/jobs`: the state of jobs, and changing it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Response
from sqlalchemy import Connection, Row

from .. import job_queue
from ..account_rows import one_of
from ..accounts import Account
from ..callers.dependencies import AccountOf, VideosOf
from ..idempotency import IdempotentRoute
from ..paging import ListingOf
from ..problems import ProblemError
from ..quota import check_retry
from ..tables import jobs

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=IdempotentRoute)
JobId = Annotated[str, Path(alias="job", max_length=64)]
MAX_WAIT_S = 60


@router.get("")
async def all_jobs(listing: ListingOf) -> dict[str, Any]:
    """The jobs, newest first."""
    rows = await listing.rows(jobs)
    return {"jobs": [listing.service.progress.document(row) for row in rows]}


@router.get("/{job}")
async def one(
    service: VideosOf,
    account: AccountOf,
    job: JobId,
    response: Response,
    prefer: Annotated[str, Header(max_length=200, description="wait=N, at most 60")] = "",
) -> dict[str, Any]:
    """One job; with `Prefer: wait=N` once it has ended, or after N seconds."""
    row = await service.database.call(find_job, account.id, job)
    wait_s = _wait(prefer)
    if wait_s and row.state in ("queued", "running"):
        response.headers["preference-applied"] = f"wait={wait_s}"
        await service.progress.wait_for_end(account.id, job, wait_s)
        row = await service.database.call(find_job, account.id, job)
    return service.progress.document(row)


@router.post("/{job}/cancel", status_code=202)
async def cancel(service: VideosOf, account: AccountOf, job: JobId) -> dict[str, Any]:
    """Cancel a job: at once, or after the chunk that is being counted."""
    return await _change(service, account.id, job, job_queue.cancel)


@router.post("/{job}/retry", status_code=202)
async def retry(service: VideosOf, account: AccountOf, job: JobId) -> dict[str, Any]:
    """Put a failed or canceled job back into the queue."""
    return await _change(service, account.id, job, retry_of(account))


def retry_of(account: Account) -> Callable[[Connection, str], bool]:
    """A retry for `change_job`, which needs quota where the job's was released."""

    def work(connection: Connection, job: str) -> bool:
        check_retry(connection, account, job)
        return job_queue.retry(connection, job)

    return work


async def _change(
    service: VideosOf, account: str, job: str, change: Callable[[Connection, str], bool]
) -> dict[str, Any]:
    row = await service.database.call(change_job, account, job, change)
    return service.progress.document(row)


def change_job(
    connection: Connection, account: str, job: str, change: Callable[[Connection, str], bool]
) -> Row[Any]:
    """The row of a job after a change; raises ProblemError (404, 409) if it cannot be."""
    row = find_job(connection, account, job)
    if not change(connection, job):
        raise ProblemError(409, f"the job is {row.state}", "Ask for its state")
    return find_job(connection, account, job)


def find_job(connection: Connection, account: str, job: str) -> Row[Any]:
    """The row of an account's job; raises ProblemError (404) if there is none."""
    return one_of(connection, jobs, account, job)


def _wait(prefer: str) -> int:
    """The seconds of `Prefer: wait=N` (RFC 7240), 0 without."""
    found = re.search(r"(?:^|[,;\s])wait=(\d{1,4})(?:$|[,;\s])", prefer)
    return 0 if found is None else min(int(found[1]), MAX_WAIT_S)
