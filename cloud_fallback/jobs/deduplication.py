"""The same video with the same options and model: counted once, and charged once, per account."""

from __future__ import annotations

import hashlib
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from . import checkpoints, job_queue
from .job_queue import NEVER, Claim
from .probe import Probed
from .tables import jobs, videos

Outcome = Literal["counts", "linked", "waits"]


def admit(
    connection: Connection,
    claim: Claim,
    found: Probed,
    digest: str | None,
    options_sha256: str,
    model_sha256: str,
) -> Outcome:
    """Note what the video is, and decide whether its frames are counted.

    Args:
        digest: SHA-256 of the file; None takes the one that was noted before.

    Returns:
        `counts`; or `linked` if another job's report is this one's too; or `waits` if another job
        is at it: this one is in the queue again, until that one ends.

    Raises:
        LostJobError: another attempt has taken the job over.
    """
    values: dict[str, object] = {"total": found.frames, "model_sha256": model_sha256}
    if digest is not None:
        # Probed for the first time, which is progress.
        values["attempts_without_progress"] = 1
    row = job_queue.change(connection, claim.job, claim.attempt, values)
    video: dict[str, object] = {"probe": found.to_json(), "state": "ready", "reason": None}
    if digest is not None:
        video["sha256"] = digest
    connection.execute(sa.update(videos).where(videos.c.id == row.video).values(**video))
    if row.kind != "count":
        return "counts"
    known = connection.scalar(sa.select(videos.c.sha256).where(videos.c.id == row.video))
    text = " ".join((str(known), row.kind, options_sha256, model_sha256))
    identity = hashlib.sha256(text.encode()).hexdigest()
    other = connection.execute(
        sa.select(jobs.c.id, jobs.c.state).where(
            jobs.c.account == row.account, jobs.c.identity == identity, jobs.c.id != row.id
        )
    ).one_or_none()
    if other is None:
        job_queue.change(connection, claim.job, claim.attempt, {"identity": identity})
        return "counts"
    if other.state == "done":
        checkpoints.link_report(connection, claim.job, claim.attempt, other.id)
        return "linked"
    waits = {"state": "queued", "owner": None, "same_as": other.id, "not_before": NEVER}
    waits["attempts_without_progress"] = 0
    job_queue.change(connection, claim.job, claim.attempt, waits)
    return "waits"


def frames_of(connection: Connection, job: str) -> int:
    """Frames of a job's video by its probe."""
    return int(connection.scalar(sa.select(jobs.c.total).where(jobs.c.id == job)) or 0)
