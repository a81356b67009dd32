"""Corrections of counts by their users: the right number of a class, as a row of a labeled set."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from ...edge_runtime.text import printable
from .clock import now_us, rfc3339
from .identifiers import new_id
from .problems import ProblemError
from .tables import feedback, jobs, reports, videos

MAX_NUMBER = 1_000_000
MAX_CLASS = 100
MAX_NOTE = 1000
MAX_OF_JOB = 100


@dataclass(frozen=True)
class Correction:
    """The right number of a class, by the user.

    Args:
        class_name: of the objects.
        number: how many different ones are in the whole video.
        frame: index of a frame where the count goes wrong, if known.
        note: in the user's words.
    """

    class_name: str
    number: int
    frame: int | None = None
    note: str = ""

    @classmethod
    def of(cls, document: dict[str, Any]) -> Correction:
        """The correction of a JSON document; raises ProblemError (422) for an invalid one."""
        unknown = sorted(set(document) - {"class_name", "number", "frame", "note"})
        if unknown:
            raise _invalid(unknown[0], "is unknown")
        name, note = document.get("class_name"), document.get("note", "")
        if not isinstance(name, str) or not 0 < len(name.strip()) <= MAX_CLASS:
            raise _invalid("class_name", f"is not a text of 1 to {MAX_CLASS} characters")
        if not isinstance(note, str) or len(note) > MAX_NOTE:
            raise _invalid("note", f"is not a text of at most {MAX_NOTE} characters")
        number, frame = document.get("number"), document.get("frame")
        if number is None or not _is_count(number):
            raise _invalid("number", f"is not a whole number from 0 to {MAX_NUMBER}")
        if frame is not None and not _is_count(frame):
            raise _invalid("frame", f"is not a whole number from 0 to {MAX_NUMBER}")
        return cls(
            printable(name.strip(), MAX_CLASS),
            int(number),
            frame,
            printable(note.strip(), MAX_NOTE),
        )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_NUMBER


def _invalid(field: str, detail: str) -> ProblemError:
    return ProblemError(
        422,
        f"the field {field[:40]} {detail}",
        'Send {"class_name": "car", "number": 12, "frame": 40, "note": ""}',
        errors=[{"field": field[:40], "detail": detail}],
    )


def add(connection: Connection, job: Row[Any], given: Correction) -> Row[Any]:
    """Store a correction of a job that is done.

    Raises:
        ProblemError: 409 without a report or for too many, 422 for a frame beyond the end.
    """
    if job.state != "done":
        raise ProblemError(409, f"the job is {job.state}", "Wait until its state is done")
    if given.frame is not None and given.frame >= job.frames:
        raise _invalid("frame", f"is not one of the {job.frames} frames")
    count = sa.select(sa.func.count()).select_from(feedback).where(feedback.c.job == job.id)
    if (connection.scalar(count) or 0) >= MAX_OF_JOB:
        raise ProblemError(409, f"the job has {MAX_OF_JOB} corrections", "Count the video again")
    identifier = new_id("fbk")
    connection.execute(
        sa.insert(feedback).values(
            id=identifier,
            account=job.account,
            job=job.id,
            class_name=given.class_name,
            number=given.number,
            frame=given.frame,
            note=given.note,
            created=now_us(),
        )
    )
    return connection.execute(sa.select(feedback).where(feedback.c.id == identifier)).one()


def document_of(row: Row[Any]) -> dict[str, Any]:
    """A correction as JSON."""
    return {
        "id": row.id,
        "job": row.job,
        "class_name": row.class_name,
        "number": row.number,
        "frame": row.frame,
        "note": row.note,
        "created": rfc3339(row.created),
    }


def of_jobs(connection: Connection, names: list[str]) -> dict[str, list[dict[str, Any]]]:
    """The corrections of jobs, oldest first, by the job's id."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    query = sa.select(feedback).where(feedback.c.job.in_(names)).order_by(feedback.c.id)
    for row in connection.execute(query):
        found[row.job].append(document_of(row))
    return found


@dataclass(frozen=True)
class LabeledCount:
    """A correction with what it corrects."""

    id: str
    created: str
    job: str
    video: str
    name: str
    sha256: str
    class_name: str
    counted: int
    right: int
    frame: int | None
    note: str


def labeled(connection: Connection, account: str, after: str, limit: int) -> list[LabeledCount]:
    """The corrections of an account with an id above `after`, oldest first."""
    query = (
        sa.select(feedback, jobs.c.video, videos.c.name, videos.c.sha256, reports.c.document)
        .join(jobs, jobs.c.id == feedback.c.job)
        .join(videos, videos.c.id == jobs.c.video)
        .join(reports, reports.c.job == jobs.c.id)
        .where(feedback.c.account == account, feedback.c.id > after)
        .order_by(feedback.c.id)
        .limit(limit)
    )
    return [_labeled(row) for row in connection.execute(query)]


def _labeled(row: Row[Any]) -> LabeledCount:
    counted = json.loads(row.document)["unique"].get(row.class_name, 0)
    return LabeledCount(
        row.id,
        str(rfc3339(row.created)),
        row.job,
        row.video,
        row.name,
        row.sha256 or "",
        row.class_name,
        counted,
        row.number,
        row.frame,
        row.note,
    )
