"""`/v1/jobs/{id}/report.*`: the report of a job, in each of its forms."""

from __future__ import annotations

import json

import sqlalchemy as sa
from fastapi import APIRouter, Response
from sqlalchemy import Connection

from ..accounts import AccountOf, VideosOf
from ..problems import ProblemError, not_found
from ..tables import reports
from ..views import FORMS
from .jobs import JobId, find_job

router = APIRouter(prefix="/v1/jobs", tags=["reports"])


@router.get("/{job}/report.{form}")
async def report(service: VideosOf, account: AccountOf, job: JobId, form: str) -> Response:
    """The report as `tallylens count` writes it."""
    if form not in FORMS:
        raise not_found("report")
    text = await service.database.call(_text, account.id, job, form)
    return Response(text.encode(errors="backslashreplace"), media_type=FORMS[form])


def _text(connection: Connection, account: str, job: str, form: str) -> str:
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
