"""Writes of a running count: the checkpoint of each chunk, and the report with all that follows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from . import job_queue
from .clock import now_us
from .database import insert_if_absent
from .identifiers import derived_id
from .job_events import tell
from .tables import checkpoints, jobs, reports, usage, videos


class CheckpointRow:
    """A count that is saved in a row of the database; see `StateStore`.

    The document is kept until the chunk's transaction writes it with all else that the chunk
    changes.
    """

    def __init__(self, job: str, document: dict[str, Any] | None) -> None:
        self.name = f"the checkpoint of {job}"
        self._loaded = document
        self.saved: dict[str, Any] | None = None

    def load(self) -> dict[str, Any] | None:
        """The document of the last checkpoint, None if there is none."""
        return self._loaded

    def save(self, document: dict[str, Any]) -> None:
        """Keep the document for the transaction."""
        self.saved = document


def read_checkpoint(connection: Connection, job: str) -> tuple[int, dict[str, Any] | None]:
    """The index of the first frame that is not counted, and the saved count."""
    query = (
        sa.select(checkpoints)
        .where(checkpoints.c.job == job)
        .order_by(checkpoints.c.next_index.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return (0, None) if row is None else (row.next_index, json.loads(row.body))


def write_chunk(
    connection: Connection, job: str, attempt: int, next_index: int, frames: int, body: str
) -> bool:
    """Write what a chunk has counted; whether the job continues: False if it was canceled.

    Written again, for the same next frame, it changes nothing.

    Raises:
        LostJobError: another attempt has taken the job over.
    """
    values = {"frames": frames, "attempts_without_progress": 0}
    row = job_queue.change(connection, job, attempt, values)
    if row.cancelling:
        job_queue.end_cancelled(connection, job, attempt)
        return False
    connection.execute(sa.delete(checkpoints).where(checkpoints.c.job == job))
    connection.execute(sa.insert(checkpoints).values(job=job, next_index=next_index, body=body))
    return True


def write_report(
    connection: Connection,
    job: str,
    attempt: int,
    document: Mapping[str, Any],
    files: Mapping[str, str],
) -> bool:
    """End a job with its report, its usage and its events: all of them, or none.

    Returns False if the job was canceled meanwhile.

    Raises:
        LostJobError: another attempt has taken the job over.
    """
    now = now_us()
    frames = int(document["frames"])
    values = {
        "state": "done",
        "frames": frames,
        "total": frames,
        "owner": None,
        "error": None,
        "finished": now,
        "attempts_without_progress": 0,
    }
    row = job_queue.change(connection, job, attempt, {"frames": frames})
    if row.cancelling:
        job_queue.end_cancelled(connection, job, attempt)
        return False
    job_queue.change(connection, job, attempt, values)
    connection.execute(sa.delete(reports).where(reports.c.job == job))
    connection.execute(
        sa.insert(reports).values(
            job=job, document=json.dumps(document), files=json.dumps(files), created=now
        )
    )
    settled = {"state": "settled", "frames": frames, "seconds": float(document["seconds"])}
    connection.execute(sa.update(usage).where(usage.c.job == job).values(**settled))
    connection.execute(sa.delete(checkpoints).where(checkpoints.c.job == job))
    connection.execute(
        sa.update(videos).where(videos.c.id == row.video).values(state="ready", reason=None)
    )
    job_queue.wake(connection, job)
    if json.loads(row.options).get("annotated"):
        _queue_annotation(connection, row)
    tell(connection, job, "job.done")
    return True


def annotation_of(job: str) -> str:
    """The id of the job that draws the annotated video of a job."""
    return derived_id("job", f"annotated video of {job}")


def _queue_annotation(connection: Connection, row: Row[Any]) -> None:
    """Queue the second pass over a video, which draws on it; nothing is charged."""
    now = now_us()
    copied = ("video", "account", "options", "options_sha256", "model_sha256", "total", "deadline")
    values = {name: getattr(row, name) for name in copied}
    values |= {"id": annotation_of(row.id), "kind": "annotate", "state": "queued"}
    insert_if_absent(connection, jobs, {**values, "version": now, "created": now})


def write_progress(connection: Connection, job: str, attempt: int, frames: int) -> bool:
    """Write how far a pass without checkpoints is; False if the job was canceled.

    Raises:
        LostJobError: another attempt has taken the job over.
    """
    values = {"frames": frames, "attempts_without_progress": 0}
    row = job_queue.change(connection, job, attempt, values)
    if row.cancelling:
        job_queue.end_cancelled(connection, job, attempt)
    return not row.cancelling


def end_annotation(connection: Connection, job: str, attempt: int, frames: int) -> None:
    """End a job whose annotated video is in the store."""
    values = {"state": "done", "owner": None, "frames": frames, "total": frames}
    job_queue.change(connection, job, attempt, {**values, "finished": now_us()})


def link_report(connection: Connection, job: str, attempt: int, other: str) -> None:
    """End a job with the report of another one that counted the same; nothing is charged."""
    frames = connection.execute(sa.select(jobs.c.frames).where(jobs.c.id == other)).scalar_one()
    values = {
        "state": "done",
        "frames": frames,
        "total": frames,
        "owner": None,
        "same_as": other,
        "finished": now_us(),
    }
    row = job_queue.change(connection, job, attempt, values)
    name = connection.scalar(sa.select(videos.c.name).where(videos.c.id == row.video))
    report = connection.execute(sa.select(reports).where(reports.c.job == other)).one()
    document = {**json.loads(report.document), "source": name}
    # A copy: the other video may be deleted before this one.
    connection.execute(
        sa.insert(reports).values(
            job=job, document=json.dumps(document), files=report.files, created=now_us()
        )
    )
    connection.execute(sa.update(usage).where(usage.c.job == job).values(state="released"))
    connection.execute(
        sa.update(videos).where(videos.c.id == row.video).values(state="ready", reason=None)
    )
    tell(connection, job, "job.done")
