"""The queue of jobs: which one a worker gets next, and how a job leaves a worker.

Every write on a running job says `where id and attempt`: a worker that only slept, while others
took it for dead and gave its job away, cannot touch that job any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from .clock import now_us
from .job_events import JobEvent, tell
from .plans import UNLIMITED, Plan
from .tables import accounts, checkpoints, jobs, usage, videos

MAX_ATTEMPTS = 3
LOCK = 0x7461_6C6C_7A
# Of a job that waits for another one's report.
NEVER = 1 << 62

PlanOf = Callable[[Row[Any]], Plan]
"""The plan of a row of `accounts`, as of now."""


class LostJobError(Exception):
    """The job was given to another worker, or has ended; nothing of it was changed."""


@dataclass(frozen=True)
class Claim:
    """A job that a worker has got.

    Args:
        workflow: identifier of the durable workflow to continue, or to start.
        name: the video's name for the user.
        probe: what the probe found, as JSON; None if the video was not probed.
    """

    job: str
    attempt: int
    workflow: str
    account: str
    video: str
    name: str
    probe: str | None
    options: str
    kind: str
    plan: Plan


def unlimited(_account: Row[Any]) -> Plan:
    """The plan of every account where there are no plans."""
    return UNLIMITED


def claim(
    connection: Connection, worker: str, model_sha256: str, plan_of: PlanOf = unlimited
) -> Claim | None:
    """The next job for a worker, None if there is none that it may run.

    The account with the fewest running jobs comes first, then the one that waits longest for its
    turn; of its jobs the one with the earliest deadline, then the oldest. A job whose workers ended
    MAX_ATTEMPTS times without progress fails instead.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({LOCK})"))
    now = now_us()
    waiting = sa.and_(
        jobs.c.state == "queued",
        jobs.c.not_before <= now,
        sa.or_(jobs.c.model_sha256.is_(None), jobs.c.model_sha256 == model_sha256),
    )
    for account, plan in _turns(connection, waiting, plan_of):
        query = (
            sa.select(jobs, videos.c.name, videos.c.probe)
            .join(videos, videos.c.id == jobs.c.video)
            .where(waiting, jobs.c.account == account)
            .order_by(jobs.c.deadline, jobs.c.id)
        )
        for row in connection.execute(query):
            if row.attempts_without_progress >= MAX_ATTEMPTS:
                error = f"a worker ended {MAX_ATTEMPTS} times at frame {row.frames}"
                _end(connection, row.id, "failed", error)
                continue
            return _take(connection, row, worker, now, plan)
    return None


def _turns(
    connection: Connection, waiting: sa.ColumnElement[bool], plan_of: PlanOf
) -> list[tuple[str, Plan]]:
    """The accounts that wait and may run one more job, in the order of their turns."""
    running = (
        sa.select(jobs.c.account, sa.func.count().label("number"))
        .where(jobs.c.state == "running")
        .group_by(jobs.c.account)
        .subquery()
    )
    number = sa.func.coalesce(running.c.number, 0)
    query = (
        sa.select(accounts, number.label("running"))
        .join_from(accounts, running, running.c.account == accounts.c.id, isouter=True)
        .where(accounts.c.id.in_(sa.select(jobs.c.account).where(waiting)))
        .order_by(number, accounts.c.turn, accounts.c.id)
    )
    found = [(row, plan_of(row)) for row in connection.execute(query)]
    return [(row.id, plan) for row, plan in found if row.running < plan.jobs_at_once]


def _take(connection: Connection, row: Row[Any], worker: str, now: int, plan: Plan) -> Claim:
    attempt = row.attempt + 1
    workflow = row.workflow or f"{row.id}-{attempt}"
    connection.execute(
        sa.update(jobs)
        .where(jobs.c.id == row.id)
        .values(
            state="running",
            owner=worker,
            attempt=attempt,
            attempts_without_progress=row.attempts_without_progress + 1,
            workflow=workflow,
            started=row.started or now,
            version=later(row.version),
        )
    )
    connection.execute(sa.update(accounts).where(accounts.c.id == row.account).values(turn=now))
    return Claim(
        row.id,
        attempt,
        workflow,
        row.account,
        row.video,
        row.name,
        row.probe,
        row.options,
        row.kind,
        plan,
    )


def later(version: int) -> int:
    """A version of a row that is later than this one."""
    return max(now_us(), version + 1)


def change(connection: Connection, job: str, attempt: int, values: Mapping[str, Any]) -> Row[Any]:
    """Change a running job of this attempt; returns the row as it was before.

    Raises:
        LostJobError: another attempt has taken it over.
    """
    query = sa.select(jobs).where(jobs.c.id == job).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None or row.attempt != attempt or row.state != "running":
        raise LostJobError(job)
    connection.execute(
        sa.update(jobs)
        .where(jobs.c.id == job, jobs.c.attempt == attempt)
        .values(version=later(row.version), **values)
    )
    return row


def use_workflow(connection: Connection, claimed: Claim, workflow: str) -> None:
    """Continue with another durable workflow: the one before has ended without the job."""
    change(connection, claimed.job, claimed.attempt, {"workflow": workflow})


def hand_back(connection: Connection, job: str, attempt: int, delay_us: int = 0) -> None:
    """Put a running job back: its worker ends in good order, or something outside is missing."""
    values = {
        "state": "queued",
        "owner": None,
        "attempts_without_progress": 0,
        "not_before": now_us() + delay_us if delay_us else 0,
    }
    change(connection, job, attempt, values)


def put_back(connection: Connection, job: str, attempt: int) -> None:
    """Put a running job back after a fault; that attempt stays counted as one without progress."""
    change(connection, job, attempt, {"state": "queued", "owner": None})


def fail(
    connection: Connection, job: str, attempt: int, error: str, *, refused: bool = False
) -> None:
    """End a running job without a report; `refused` refuses its video too."""
    row = change(connection, job, attempt, {})
    _end(connection, job, "failed", error)
    if refused:
        connection.execute(
            sa.update(videos).where(videos.c.id == row.video).values(state="refused", reason=error)
        )


def end_cancelled(connection: Connection, job: str, attempt: int) -> None:
    """End a running job that was canceled."""
    change(connection, job, attempt, {})
    _end(connection, job, "cancelled", None)


def cancel(connection: Connection, job: str) -> bool:
    """Cancel a job: at once if no worker has it, else at its next chunk; False if it has ended."""
    row = connection.execute(
        sa.select(jobs).where(jobs.c.id == job).with_for_update()
    ).one_or_none()
    if row is None or row.state not in ("queued", "running"):
        return False
    if row.state == "queued":
        _end(connection, job, "cancelled", None)
    else:
        connection.execute(
            sa.update(jobs)
            .where(jobs.c.id == job)
            .values(cancelling=True, version=later(row.version))
        )
    return True


def retry(connection: Connection, job: str) -> bool:
    """Put a failed or canceled job back into the queue; False for any other."""
    row = connection.execute(
        sa.select(jobs).where(jobs.c.id == job).with_for_update()
    ).one_or_none()
    if row is None or row.state not in ("failed", "cancelled"):
        return False
    now = now_us()
    connection.execute(
        sa.update(jobs)
        .where(jobs.c.id == job)
        .values(
            state="queued",
            cancelling=False,
            owner=None,
            workflow=None,
            same_as=None,
            error=None,
            finished=None,
            attempts_without_progress=0,
            not_before=0,
            late_told=False,
            deadline=now + (row.deadline - row.created),
            version=later(row.version),
        )
    )
    connection.execute(sa.update(usage).where(usage.c.job == job).values(state="reserved"))
    return True


def release_dead(connection: Connection, dead: list[str]) -> int:
    """Put the jobs of workers that have ended back into the queue; returns their number."""
    if not dead:
        return 0
    rows = connection.execute(
        sa.select(jobs.c.id, jobs.c.version)
        .where(jobs.c.state == "running", jobs.c.owner.in_(dead))
        .with_for_update()
    ).all()
    for row in rows:
        connection.execute(
            sa.update(jobs)
            .where(jobs.c.id == row.id)
            .values(state="queued", owner=None, version=later(row.version))
        )
    return len(rows)


def _end(connection: Connection, job: str, state: str, error: str | None) -> None:
    """Set a state without a report, give the reserved quota back, wake jobs that wait for it."""
    event: dict[str, JobEvent] = {"failed": "job.failed", "cancelled": "job.cancelled"}
    row = connection.execute(sa.select(jobs).where(jobs.c.id == job)).one()
    now = now_us()
    connection.execute(
        sa.update(jobs)
        .where(jobs.c.id == job)
        .values(
            state=state,
            error=error,
            owner=None,
            identity=None,
            finished=now,
            version=later(row.version),
        )
    )
    # Frames that were counted before a cancel are used up.
    keep = state == "cancelled" and row.frames > 0
    connection.execute(
        sa.update(usage)
        .where(usage.c.job == job)
        .values(state="settled" if keep else "released", frames=row.frames if keep else 0)
    )
    connection.execute(sa.delete(checkpoints).where(checkpoints.c.job == job))
    wake(connection, job)
    tell(connection, job, event[state])


def wake(connection: Connection, job: str) -> None:
    """Let the jobs that wait for the report of `job` be claimed."""
    connection.execute(
        sa.update(jobs)
        .where(jobs.c.same_as == job, jobs.c.state == "queued")
        .values(not_before=0, same_as=None)
    )
