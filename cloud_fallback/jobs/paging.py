"""The rows of an account: one by its id, and lists in pages (`?limit=&after=`, with a link)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import sqlalchemy as sa
from fastapi import Depends, Query, Request, Response
from sqlalchemy import Connection, Row

from .accounts import Account, AccountOf, VideosOf
from .problems import not_found

if TYPE_CHECKING:
    from .service import VideoService

DEFAULT = 20
MOST = 100
Limit = Annotated[int, Query(ge=1, le=MOST, description="number of entries")]
After = Annotated[str | None, Query(max_length=64, description="the last id of the page before")]


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


def link_next(request: Request, response: Response, rows: list[Row[Any]], more: bool) -> None:
    """Add the link to the next page, as a path."""
    if more:
        query = f"limit={len(rows)}&after={rows[-1].id}"
        response.headers["link"] = f'<{request.url.path}?{query}>; rel="next"'


@dataclass(frozen=True)
class Listing:
    """The page of a list that a request asks for; see `ListingOf`."""

    service: VideoService
    account: Account
    _request: Request
    _response: Response
    _limit: int
    _after: str | None

    async def rows(self, table: sa.Table) -> list[Row[Any]]:
        """The account's rows of `table`, newest first; the answer links to the next page."""
        found, more = await self.service.database.call(
            page, table, self.account.id, self._limit, self._after
        )
        link_next(self._request, self._response, found, more)
        return found


async def _listing(
    service: VideosOf,
    account: AccountOf,
    request: Request,
    response: Response,
    limit: Limit = DEFAULT,
    after: After = None,
) -> Listing:
    return Listing(service, account, request, response, limit, after)


ListingOf = Annotated[Listing, Depends(_listing)]
