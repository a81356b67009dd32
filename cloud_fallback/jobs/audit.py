"""The audit log: each change of an account with its time and address; rows outlive the account."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from .clock import DAY, now_us
from .identifiers import new_id
from .tables import audit

KEEP_DAYS = 365
MAX_DETAIL = 200


def note(
    connection: Connection, action: str, account: str | None, *, detail: str = "", address: str = ""
) -> None:
    """Add a row in the transaction of what it is about.

    Args:
        action: such as `session.opened`.
        account: None where there is none.
        detail: never a secret, nor an e-mail address.
        address: of the client.
    """
    connection.execute(
        sa.insert(audit).values(
            id=new_id("aud"),
            account=account,
            action=action,
            detail=detail[:MAX_DETAIL],
            address=address,
            created=now_us(),
        )
    )


def forget_old(connection: Connection) -> None:
    """Delete rows older than KEEP_DAYS."""
    connection.execute(sa.delete(audit).where(audit.c.created < now_us() - KEEP_DAYS * DAY))
