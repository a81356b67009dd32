"""The pages of videos: upload, list, one video with its counts, and what their forms do."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as InPath
from fastapi.responses import RedirectResponse

from .. import feedback, job_queue
from ..accounts import Account
from ..callers.dependencies import AccountOf, VideosOf
from ..callers.session import FIELD
from ..checkpoints import annotation_of
from ..problems import ProblemError, not_found
from ..routes.cost import DEFAULT_WAY, WAY, estimate_of
from ..routes.jobs import JobId, change_job, find_job, retry_of
from ..routes.videos import VideoId, find_video, insert_again
from ..views import video_document
from . import content
from .assets import asset
from .form_upload import UploaderOf, options_of, take_form
from .forms import PageRoute, form_of, shown
from .render import page

router = APIRouter(include_in_schema=False, route_class=PageRoute)
NEWEST, LISTED = 10, 50


@router.get("/assets/{version}/{name}")
async def assets(version: str, name: Annotated[str, InPath(max_length=40)]) -> Response:
    """A style sheet, script or icon."""
    answer = asset(version, name)
    if answer is None:
        raise not_found("file")
    return answer


@router.get("/")
async def upload_page(service: VideosOf, account: AccountOf) -> Response:
    """The form of an upload, and the newest videos."""
    listed, _ = await _listed(service, account, NEWEST, None)
    return page("upload.html", shown("/", account, plan=account.plan, videos=listed))


@router.get("/videos")
async def list_page(
    service: VideosOf,
    account: AccountOf,
    after: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """All videos, newest first."""
    listed, more = await _listed(service, account, LISTED, after)
    following = listed[-1]["id"] if more else None
    return page("videos.html", shown("/videos", account, videos=listed, next=following))


async def _listed(
    service: VideosOf, account: Account, limit: int, after: str | None
) -> tuple[list[dict[str, Any]], bool]:
    rows, last, more = await service.database.call(content.newest, account.id, limit, after)
    listed = []
    for row in rows:
        job = last.get(row.id)
        shown_job = None if job is None else service.progress.document(job)
        listed.append({**video_document(row), "job": shown_job})
    return listed, more


@router.get("/videos/{video}")
async def video_page(service: VideosOf, account: AccountOf, video: VideoId) -> Response:
    """One video with its counts."""
    document, rows, reports, corrections = await service.database.call(
        content.one, account.id, video
    )
    jobs: list[dict[str, Any]] = []
    drawings = {row.id: row for row in rows if row.kind != "count"}
    for row in rows:
        if row.kind != "count":
            continue
        job = {**service.progress.document(row), "feedback": corrections[row.id]}
        drawn = drawings.get(annotation_of(row.same_as or row.id))
        job["drawn"] = None if drawn is None else service.progress.document(drawn)
        if row.id in reports:
            job["counts"] = content.counts(reports[row.id])
        jobs.append(job)
    return page("video.html", shown(f"/videos/{video}", account, video=document, jobs=jobs))


@router.get("/cost")
async def cost_page(request: Request, account: AccountOf) -> Response:
    """The estimate of the cost, with the form of its load."""
    query = request.query_params
    found = estimate_of(query)
    scenario = dataclasses.asdict(found.scenario)
    way = query.get(WAY, DEFAULT_WAY)
    return page("cost.html", shown("/cost", account, cost=found, scenario=scenario, way=way))


@router.post("/videos")
async def upload(request: Request, service: VideosOf, account: UploaderOf) -> Response:
    """Take a video from a form."""
    return _to_video(await take_form(request, service, account))


@router.post("/videos/{video}/jobs")
async def count_again(
    request: Request, service: VideosOf, account: AccountOf, video: VideoId
) -> Response:
    """Count a video again, with other options."""
    options = options_of(await form_of(request))
    await service.database.call(insert_again, account, video, options, service.model_sha256)
    return _to_video(video)


@router.post("/videos/{video}/delete")
async def delete(
    request: Request, service: VideosOf, account: AccountOf, video: VideoId
) -> Response:
    """Delete a video with all that belongs to it."""
    if not (await form_of(request)).get("sure"):
        raise ProblemError(422, "the box is not checked", "Go back and check it")
    await service.database.call(find_video, account.id, video)
    await service.sweep.delete_video(video)
    return RedirectResponse("/videos", 303)


@router.post("/jobs/{job}/cancel")
async def cancel(request: Request, service: VideosOf, account: AccountOf, job: JobId) -> Response:
    """Cancel a job."""
    await form_of(request)
    row = await service.database.call(change_job, account.id, job, job_queue.cancel)
    return _to_video(row.video)


@router.post("/jobs/{job}/retry")
async def retry(request: Request, service: VideosOf, account: AccountOf, job: JobId) -> Response:
    """Put a job back into the queue."""
    await form_of(request)
    row = await service.database.call(change_job, account.id, job, retry_of(account))
    return _to_video(row.video)


@router.post("/jobs/{job}/feedback")
async def correct(request: Request, service: VideosOf, account: AccountOf, job: JobId) -> Response:
    """Store what is right."""
    fields = await form_of(request)
    document: dict[str, Any] = {
        name: text for name, text in fields.items() if text and name != FIELD
    }
    for name in ("number", "frame"):
        if name in document:
            document[name] = _number(document[name])
    given = feedback.Correction.of(document)
    row = await service.database.call(find_job, account.id, job)
    await service.database.call(feedback.add, row, given)
    return _to_video(row.video)


def _number(text: str) -> int | str:
    """A number of a form; other text stays, to be refused by name."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


def _to_video(video: str) -> Response:
    return RedirectResponse(f"/videos/{video}", 303)
