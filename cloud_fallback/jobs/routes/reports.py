"""`/v1/jobs/{id}/report.*`: the report of a job, in each of its forms."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from sqlalchemy import Connection
from starlette.background import BackgroundTask

from ..callers.dependencies import AccountOf, VideosOf
from ..checkpoints import annotation_of
from ..problems import ProblemError, not_found
from ..ranges import ranged
from ..storage import StorageGoneError
from ..tables import jobs, reports
from ..views import FORMS
from .jobs import JobId, find_job

router = APIRouter(prefix="/v1/jobs", tags=["reports"])
# The page has its own style and images inside, and no script.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


@router.get("/{job}/report.mp4", response_class=FileResponse)
async def annotated_video(service: VideosOf, account: AccountOf, job: JobId) -> Response:
    """The annotated video, if the job's options asked for it and its own job is done."""
    drawn = await service.database.call(_annotation, account.id, job)
    stack = ExitStack()
    try:
        path = await asyncio.to_thread(stack.enter_context, service.storage.local(drawn))
    except FileNotFoundError:
        raise not_found("video") from None
    except StorageGoneError:
        raise ProblemError(503, "the store does not answer", "Try again", retry_s=10) from None
    # A copy of the store's file is deleted once it is sent.
    return FileResponse(path, media_type="video/mp4", background=BackgroundTask(stack.close))


def _annotation(connection: Connection, account: str, job: str) -> str:
    row = find_job(connection, account, job)
    drawn = connection.execute(
        sa.select(jobs.c.id, jobs.c.state).where(
            jobs.c.id == annotation_of(row.same_as or job), jobs.c.account == account
        )
    ).one_or_none()
    if drawn is None:
        raise not_found("annotated video")
    if drawn.state != "done":
        raise ProblemError(
            409, f"its job {drawn.id} is {drawn.state}", "Wait until its state is done"
        )
    return str(drawn.id)


@router.get("/{job}/report.{form}", response_class=Response)
async def report(
    request: Request, service: VideosOf, account: AccountOf, job: JobId, form: str
) -> Response:
    """The report as `tallylens count` writes it."""
    if form not in FORMS:
        raise not_found("report")
    text = await service.database.call(read_report, account.id, job, form)
    response = ranged(request, text.encode(errors="backslashreplace"), FORMS[form])
    response.headers["content-security-policy"] = POLICY
    response.headers["x-content-type-options"] = "nosniff"
    return response


def read_report(connection: Connection, account: str, job: str, form: str) -> str:
    """The text of a report; raises ProblemError (404, 409) if there is none."""
    row = find_job(connection, account, job)
    found = connection.execute(sa.select(reports).where(reports.c.job == job)).one_or_none()
    if found is None:
        raise ProblemError(
            409, f"the job is {row.state}", "Wait until its state is done", kind="no-report"
        )
    if form == "json":
        return json.dumps(json.loads(found.document), indent=2, ensure_ascii=False) + "\n"
    text: str = json.loads(found.files)[form]
    return text
