"""`/v1/jobs/{id}/feedback`, `/v1/feedback.zip`: what is right where a count is wrong."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body
from fastapi.responses import StreamingResponse

from .. import feedback
from ..callers.dependencies import AccountOf, VideosOf
from ..feedback import Correction
from ..idempotency import IdempotentRoute
from ..labeled_set import archive
from .jobs import JobId, find_job

router = APIRouter(tags=["feedback"], route_class=IdempotentRoute)
EXAMPLE = {"class_name": "car", "number": 12, "frame": 40, "note": "two were one"}


@router.post("/v1/jobs/{job}/feedback", status_code=201)
async def correct(
    service: VideosOf,
    account: AccountOf,
    job: JobId,
    body: Annotated[dict[str, Any], Body(examples=[EXAMPLE])],
) -> dict[str, Any]:
    """Say how many objects of a class are right; `frame` and `note` are optional."""
    given = Correction.of(body)
    row = await service.database.call(find_job, account.id, job)
    return feedback.document_of(await service.database.call(feedback.add, row, given))


@router.get("/v1/jobs/{job}/feedback")
async def corrections(service: VideosOf, account: AccountOf, job: JobId) -> dict[str, Any]:
    """The corrections of a job, oldest first."""
    await service.database.call(find_job, account.id, job)
    found = await service.database.call(feedback.of_jobs, [job])
    return {"feedback": found[job]}


@router.get("/v1/feedback.zip", response_class=StreamingResponse)
async def labeled_set(service: VideosOf, account: AccountOf) -> StreamingResponse:
    """All corrections as a labeled set: `labels.csv`, and the frames that they name."""
    headers = {
        "content-disposition": 'attachment; filename="feedback.zip"',
        "cache-control": "no-store",
    }
    blocks = archive(service.database, service.storage, account.id)
    return StreamingResponse(blocks, media_type="application/zip", headers=headers)
