"""`/v1/videos`: the videos of an account."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Path
from sqlalchemy import Connection

from ..accounts import AccountOf, VideosOf
from ..problems import not_found
from ..tables import jobs, videos
from ..views import job_document, video_document

router = APIRouter(prefix="/v1/videos", tags=["videos"])
VideoId = Annotated[str, Path(alias="video", max_length=64)]


@router.get("/{video}")
async def one(service: VideosOf, account: AccountOf, video: VideoId) -> dict[str, Any]:
    """One video with its jobs."""
    return await service.database.call(_one, account.id, video)


def _one(connection: Connection, account: str, video: str) -> dict[str, Any]:
    row = connection.execute(
        sa.select(videos).where(videos.c.id == video, videos.c.account == account)
    ).one_or_none()
    if row is None:
        raise not_found("video")
    listed = connection.execute(sa.select(jobs).where(jobs.c.video == video).order_by(jobs.c.id))
    return {**video_document(row), "jobs": [job_document(job) for job in listed]}
