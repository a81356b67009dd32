"""`/v1/jobs/{id}/report.*`: the report of a job, in each of its forms."""

from __future__ import annotations

import json

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from ..accounts import AccountOf, VideosOf
from ..problems import ProblemError, not_found
from ..ranges import ranged
from ..tables import reports
from ..views import FORMS
from .jobs import JobId, find_job

router = APIRouter(prefix="/v1/jobs", tags=["reports"])
# The page has its own style and images inside, and no script.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


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
