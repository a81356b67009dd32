"""When each job will be done: the frames ahead of it in the queue, by the speed of the workers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import mean
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from .clock import SECOND, now_us
from .job_events import tell
from .job_queue import later
from .tables import jobs, workers
from .workers import DEAD_S, database_now


@dataclass(frozen=True)
class Waiting:
    """A job that has not ended, as far as estimates need it.

    Args:
        total: its frames; 0 before its video is probed.
    """

    id: str
    account: str
    frames: int
    total: int
    running: bool
    deadline: int


@dataclass(frozen=True)
class Estimates:
    """Estimates of one moment.

    Args:
        fps: frames per second of all workers together.
        eta: microseconds since 1970 at which each job is done, by its id; missing where nothing can
            be said: no worker has counted yet.
    """

    fps: float
    eta: Mapping[str, int]

    def late_s(self, job: str, deadline: int) -> float:
        """Seconds by which a job that has not ended is expected after its deadline; else 0."""
        expected = self.eta.get(job, now_us())
        return max(0.0, (expected - deadline) / SECOND)


NONE = Estimates(0.0, {})


def estimate(waiting: Iterable[Waiting], fps: float, now: int) -> dict[str, int]:
    """The time at which each job is done, if the workers share all frames in this order.

    Args:
        waiting: in the order of the queue, running jobs first.
        fps: frames per second of all workers together.
        now: microseconds since 1970.
    """
    listed = list(waiting)
    if fps <= 0:
        return {}
    known = [one.total for one in listed if one.total]
    # A video that is not probed yet is taken to be like the others.
    typical = round(mean(known)) if known else 0
    ahead, found = 0, {}
    for one in listed:
        total = one.total or typical
        if not total:
            continue
        ahead += max(0, total - one.frames)
        found[one.id] = now + int(ahead / fps * SECOND)
    return found


def read_estimates(connection: Connection) -> Estimates:
    """The estimates as of now; jobs that are newly expected late are marked, and told once."""
    oldest = database_now(connection) - int(DEAD_S * SECOND)
    fps = connection.scalar(sa.select(sa.func.sum(workers.c.fps)).where(workers.c.seen >= oldest))
    rows = connection.execute(
        sa.select(jobs)
        .where(jobs.c.state.in_(("queued", "running")))
        .order_by(sa.case((jobs.c.state == "running", 0), else_=1), jobs.c.deadline, jobs.c.id)
    ).all()
    waiting = [_waiting(row) for row in rows]
    now = now_us()
    found = Estimates(float(fps or 0), estimate(waiting, float(fps or 0), now))
    for row in rows:
        if not row.late_told and max(found.eta.get(row.id, 0), now) > row.deadline:
            connection.execute(
                sa.update(jobs)
                .where(jobs.c.id == row.id)
                .values(late_told=True, version=later(row.version))
            )
            tell(connection, row.id, "job.late")
    return found


def _waiting(row: sa.Row[Any]) -> Waiting:
    return Waiting(row.id, row.account, row.frames, row.total, row.state == "running", row.deadline)
