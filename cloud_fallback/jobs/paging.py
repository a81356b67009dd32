"""Lists in pages (`?limit=&after=`, with a link to the next page)."""

from __future__ import annotations

from collections.abc import Callable
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
        return await self.found_by(page, table, self.account.id)

    async def found_by(
        self, query: Callable[..., tuple[list[Row[Any]], bool]], *arguments: Any
    ) -> list[Row[Any]]:
        """The rows that `query(connection, *arguments, limit, after)` finds.

        The answer links to the next page, as a path.
        """
        rows, more = await self.service.database.call(query, *arguments, self._limit, self._after)
        if more:
            following = f"limit={len(rows)}&after={rows[-1].id}"
            path = self._request.url.path
            self._response.headers["link"] = f'<{path}?{following}>; rel="next"'
        return rows


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
