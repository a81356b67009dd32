"""Lists in pages (`?limit=&after=`, with a link to the next page)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import Depends, Query, Request, Response
from sqlalchemy import Row

from .account_rows import page
from .accounts import Account
from .callers.dependencies import AccountOf, VideosOf
from .service import VideoService

DEFAULT = 20
MOST = 100
Limit = Annotated[int, Query(ge=1, le=MOST, description="number of entries")]
After = Annotated[str | None, Query(max_length=64, description="the last id of the page before")]


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
