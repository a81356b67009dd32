"""The account of a caller, and the limits of its plan."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from .clock import now_us
from .database import insert_if_absent
from .plans import Plan
from .tables import accounts

SCOPE = "videos"


@dataclass(frozen=True)
class Account:
    """The account of a caller.

    Args:
        id: of its row.
        plan: its limits now.
        by_session: whether a browser's session identified it, which needs protection from requests
            of other sites.
        csrf: the token of that session, which its page sends with what it changes.
        manages: whether the caller may manage the account itself: keys, export, deletion.
    """

    id: str
    plan: Plan
    by_session: bool = False
    csrf: str = ""
    manages: bool = False


def ensure_account(connection: Connection, identifier: str, name: str) -> None:
    """Insert the account of a name in the key file unless it is there."""
    found = connection.scalar(sa.select(accounts.c.id).where(accounts.c.id == identifier))
    if found is None:
        row = {"id": identifier, "name": name, "created": now_us()}
        insert_if_absent(connection, accounts, row)
