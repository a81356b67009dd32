"""`/v1/videos`: the videos of an account."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Body, Path, Response
from sqlalchemy import Connection, Row

from ....edge_runtime.errors import UsageError
from ..account_rows import one_of
from ..accounts import Account
from ..callers.dependencies import AccountOf, VideosOf
from ..idempotency import IdempotentRoute
from ..identifiers import new_id
from ..job_options import SCHEMA, JobOptions
from ..paging import ListingOf
from ..problems import ProblemError
from ..quota import check_quota
from ..tables import jobs, videos
from ..upload_rows import insert_job
from ..views import video_document

router = APIRouter(prefix="/v1/videos", tags=["videos"], route_class=IdempotentRoute)
VideoId = Annotated[str, Path(alias="video", max_length=64)]


@router.get("")
async def all_videos(listing: ListingOf) -> dict[str, Any]:
    """The videos, newest first."""
    rows = await listing.rows(videos)
    return {"videos": [video_document(row) for row in rows]}


@router.get("/{video}")
async def one(service: VideosOf, account: AccountOf, video: VideoId) -> dict[str, Any]:
    """One video with its jobs."""
    row, listed = await service.database.call(_with_jobs, account.id, video)
    return {**video_document(row), "jobs": [service.progress.document(job) for job in listed]}


@router.delete("/{video}", status_code=204)
async def delete(service: VideosOf, account: AccountOf, video: VideoId) -> Response:
    """Delete a video with its jobs, its reports and its file."""
    await service.database.call(find_video, account.id, video)
    await service.sweep.delete_video(video)
    return Response(status_code=204)


@router.post("/{video}/jobs", status_code=202)
async def count_again(
    service: VideosOf,
    account: AccountOf,
    video: VideoId,
    response: Response,
    body: Annotated[
        dict[str, Any] | None,
        Body(description="options, as of an upload", json_schema_extra={"properties": SCHEMA}),
    ] = None,
) -> dict[str, Any]:
    """Count a video again, with other options."""
    try:
        options = JobOptions.of(body or {})
    except UsageError as error:
        raise ProblemError(422, error.problem, error.remedy, kind="options") from error
    row = await service.database.call(insert_again, account, video, options, service.model_sha256)
    response.headers["location"] = f"/v1/jobs/{row.id}"
    return service.progress.document(row)


def find_video(connection: Connection, account: str, video: str) -> Row[Any]:
    """The row of an account's video; raises ProblemError (404) if there is none."""
    return one_of(connection, videos, account, video)


def _with_jobs(connection: Connection, account: str, video: str) -> tuple[Row[Any], list[Row[Any]]]:
    row = find_video(connection, account, video)
    query = sa.select(jobs).where(jobs.c.video == video).order_by(jobs.c.id)
    return row, list(connection.execute(query))


def insert_again(
    connection: Connection, account: Account, video: str, options: JobOptions, model: str
) -> Row[Any]:
    """The row of a new job of a video; raises ProblemError (402, 404, 409) if there can be none."""
    row = find_video(connection, account.id, video)
    if row.state == "refused":
        raise ProblemError(409, f"the video was refused: {row.reason}", "Upload another one")
    check_quota(connection, account, uploading=False)
    job = new_id("job")
    insert_job(connection, job, video, account.id, options, model)
    return connection.execute(sa.select(jobs).where(jobs.c.id == job)).one()
