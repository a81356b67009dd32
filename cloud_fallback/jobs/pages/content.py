"""The content of pages, read from the database in one transaction each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from .. import account_rows, feedback
from ..routes.videos import find_video
from ..tables import jobs, reports, videos
from ..views import video_document

Rows = list[Row[Any]]


def newest(
    connection: Connection, account: str, limit: int, after: str | None
) -> tuple[Rows, dict[str, Row[Any]], bool]:
    """Videos of an account, the last job of each by the video's id, and whether more follow."""
    rows, more = account_rows.page(connection, videos, account, limit, after)
    query = (
        sa.select(jobs)
        .where(jobs.c.video.in_([row.id for row in rows]), jobs.c.kind == "count")
        .order_by(jobs.c.id)
    )
    return rows, {row.video: row for row in connection.execute(query)}, more


def one(
    connection: Connection, account: str, video: str
) -> tuple[dict[str, Any], Rows, dict[str, dict[str, Any]], dict[str, list[dict[str, Any]]]]:
    """A video, its jobs with the newest first, their reports and their corrections."""
    row = find_video(connection, account, video)
    found = list(
        connection.execute(
            sa.select(jobs).where(jobs.c.video == video).order_by(jobs.c.id.desc()).limit(50)
        )
    )
    names = [job.id for job in found]
    texts = connection.execute(
        sa.select(reports.c.job, reports.c.document).where(reports.c.job.in_(names))
    )
    documents = {report.job: json.loads(report.document) for report in texts}
    return video_document(row), found, documents, feedback.of_jobs(connection, names)


def counts(report: Mapping[str, Any]) -> dict[str, Any]:
    """The totals of a report as the rows of a table, and its warnings.

    A column for each line and zone.
    """
    columns: list[tuple[str, Mapping[str, int]]] = [("In the video", report["unique"])]
    for line in report["lines"]:
        columns += [(f"{line['name']}: {way}", line[way]) for way in ("in", "out")]
    for zone in report["zones"]:
        columns.append((f"{zone['name']}: entered", zone["entered"]))
    names = sorted({name for _, values in columns for name in values})
    return {
        "columns": [title for title, _ in columns],
        "warnings": report.get("warnings", []),
        "rows": [(name, [values.get(name, 0) for _, values in columns]) for name in names],
    }
