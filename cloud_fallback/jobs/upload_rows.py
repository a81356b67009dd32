"""Rows of uploads: announced, and turned into a video with its job."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from .accounts import Account
from .announcement import Announced
from .clock import DAY, SECOND, now_us
from .database import insert_if_absent
from .identifiers import with_prefix
from .job_options import JobOptions
from .plans import Plans
from .problems import not_found
from .quota import check_quota
from .tables import accounts, jobs, uploads, usage, videos


def insert_upload(
    connection: Connection, account: Account, upload: str, given: Announced, expires: int
) -> None:
    """Add an upload; raises ProblemError (402, 429) beyond the plan."""
    check_quota(connection, account)
    connection.execute(
        sa.insert(uploads).values(
            id=upload,
            account=account.id,
            length=given.length,
            name=given.name,
            options=given.options.to_json(),
            created=now_us(),
            expires=expires,
        )
    )


def find_upload(connection: Connection, account: str, upload: str) -> Row[Any] | None:
    """The row of an open upload of an account."""
    return connection.execute(
        sa.select(uploads).where(uploads.c.id == upload, uploads.c.account == account)
    ).one_or_none()


def length_of_video(connection: Connection, account: str, upload: str) -> int:
    """Bytes of the video of a complete upload; raises ProblemError (404) without one."""
    length = connection.scalar(
        sa.select(videos.c.bytes).where(
            videos.c.id == with_prefix("vid", upload), videos.c.account == account
        )
    )
    if length is None or not upload.startswith("upl_"):
        raise not_found("upload")
    return int(length)


def delete_upload(connection: Connection, upload: str) -> None:
    """Delete the row of an upload."""
    connection.execute(sa.delete(uploads).where(uploads.c.id == upload))


def complete_upload(connection: Connection, row: Row[Any], model_sha256: str, plans: Plans) -> None:
    """Turn a complete upload into a video and a job: all at once, and once."""
    video, now = with_prefix("vid", row.id), now_us()
    options = JobOptions.parse(row.options)
    account = connection.execute(
        sa.select(accounts).where(accounts.c.id == row.account)
    ).one_or_none()
    if account is None:
        # It was deleted while its last bytes arrived.
        raise not_found("upload")
    values: dict[str, object] = {
        "id": video,
        "account": row.account,
        "name": row.name,
        "bytes": row.length,
        "state": "checking",
        "created": now,
        "expires": now + int(plans.of(account).keep_days * DAY),
    }
    if insert_if_absent(connection, videos, values):
        insert_job(
            connection, with_prefix("job", row.id), video, row.account, options, model_sha256
        )
    delete_upload(connection, row.id)


def insert_job(
    connection: Connection,
    job: str,
    video: str,
    account: str,
    options: JobOptions,
    model_sha256: str,
) -> None:
    """Put a new job into the queue, with its quota reserved."""
    now = now_us()
    connection.execute(
        sa.insert(jobs).values(
            id=job,
            video=video,
            account=account,
            options=options.to_json(),
            options_sha256=options.digest(),
            model_sha256=model_sha256,
            state="queued",
            deadline=now + int(options.deadline_s * SECOND),
            version=now,
            created=now,
        )
    )
    connection.execute(
        sa.insert(usage).values(job=job, account=account, state="reserved", created=now)
    )
