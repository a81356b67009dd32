"""The quota of an account: reserved when a video is accepted, settled with its report.

A row of `usage` for each job is `reserved`, then `settled`; or `released`, which returns it, by
failure, refusal, a cancel before the first frame, and where another job's report is linked.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from .accounts import Account
from .clock import DAY, now_us
from .problems import ProblemError
from .rate_limit import RateLimit
from .tables import accounts, uploads, usage


@dataclass(frozen=True)
class Used:
    """Use of an account in the period of its plan.

    Args:
        since: when the period begins; 0 for one that does not end.
        settled, reserved: number of videos.
        opened: number of uploads that are not complete.
        frames, seconds: counted.
    """

    since: int
    settled: int
    reserved: int
    opened: int
    frames: int
    seconds: float

    @property
    def videos(self) -> int:
        """Videos that are used or reserved."""
        return self.settled + self.reserved


def used(connection: Connection, account: Account) -> Used:
    """Use of an account; the caller's transaction holds its row where it must not change."""
    row = connection.execute(sa.select(accounts).where(accounts.c.id == account.id)).one()
    now = now_us()
    since = 0
    if account.plan.period_days is not None:
        since = max(now - int(account.plan.period_days * DAY), row.plan_since or 0)
    query = (
        sa.select(
            usage.c.state,
            sa.func.count(),
            sa.func.sum(usage.c.frames),
            sa.func.sum(usage.c.seconds),
        )
        .where(usage.c.account == account.id, usage.c.created > since)
        .group_by(usage.c.state)
    )
    found = {state: rest for state, *rest in connection.execute(query)}
    settled, reserved = found.get("settled", [0, 0, 0]), found.get("reserved", [0, 0, 0])
    opened = sa.select(sa.func.count()).select_from(uploads)
    opened = opened.where(uploads.c.account == account.id, uploads.c.expires > now)
    return Used(
        since,
        settled[0],
        reserved[0],
        connection.execute(opened).scalar_one(),
        int(settled[1]),
        float(settled[2]),
    )


def check_quota(connection: Connection, account: Account, *, uploading: bool = True) -> None:
    """Raise ProblemError (402, 429) if the account may not have one more video now.

    Others that ask for the same account wait until this transaction ends.
    """
    connection.execute(
        sa.select(accounts.c.id).where(accounts.c.id == account.id).with_for_update()
    )
    plan, now = account.plan, used(connection, account)
    if uploading and now.opened >= plan.open_uploads:
        raise ProblemError(
            429,
            f"{now.opened} uploads are not complete, and the plan allows {plan.open_uploads}",
            "Complete or delete one",
            retry_s=60,
            limit=RateLimit("open-uploads", plan.open_uploads),
        )
    number = now.videos + (now.opened if uploading else 0)
    if plan.videos is not None and number >= plan.videos:
        raise ProblemError(
            402,
            f"the {plan.videos} videos of the plan {plan.name} are used",
            "Wait for the next period, or change the plan",
        )


def check_retry(connection: Connection, account: Account, job: str) -> None:
    """Raise ProblemError (402) if a job whose quota was released may not have it again."""
    state = connection.scalar(sa.select(usage.c.state).where(usage.c.job == job))
    if state == "released":
        check_quota(connection, account, uploading=False)
