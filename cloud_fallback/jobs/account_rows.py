"""Rows of an account: one by its id, and a page of a list."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from .problems import not_found


def one_of(connection: Connection, table: sa.Table, account: str, identifier: str) -> Row[Any]:
    """The row of an account with this id; raises ProblemError (404) if there is none."""
    row = connection.execute(
        sa.select(table).where(table.c.id == identifier, table.c.account == account)
    ).one_or_none()
    if row is None:
        raise not_found(table.name[:-1])
    return row


def page(
    connection: Connection, table: sa.Table, account: str, limit: int, after: str | None
) -> tuple[list[Row[Any]], bool]:
    """The rows of an account, newest first, and whether more follow."""
    query = sa.select(table).where(table.c.account == account)
    if after is not None:
        query = query.where(table.c.id < after)
    rows = list(connection.execute(query.order_by(table.c.id.desc()).limit(limit + 1)))
    return rows[:limit], len(rows) > limit
