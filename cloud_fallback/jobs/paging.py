"""Lists in pages: `?limit=&after=`, with a link to the next page."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import Query, Request, Response
from sqlalchemy import Connection, Row

DEFAULT = 20
MOST = 100
Limit = Annotated[int, Query(ge=1, le=MOST, description="number of entries")]
After = Annotated[str | None, Query(max_length=64, description="the last id of the page before")]


def page(
    connection: Connection, table: sa.Table, account: str, limit: int, after: str | None
) -> tuple[list[Row[Any]], bool]:
    """The rows of an account, newest first, and whether more follow."""
    query = sa.select(table).where(table.c.account == account)
    if after is not None:
        query = query.where(table.c.id < after)
    rows = list(connection.execute(query.order_by(table.c.id.desc()).limit(limit + 1)))
    return rows[:limit], len(rows) > limit


def link_next(request: Request, response: Response, rows: list[Row[Any]], more: bool) -> None:
    """Add the link to the next page, as a path."""
    if more:
        query = f"limit={len(rows)}&after={rows[-1].id}"
        response.headers["link"] = f'<{request.url.path}?{query}>; rel="next"'
