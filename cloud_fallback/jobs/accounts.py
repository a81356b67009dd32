"""The account of a request, and the limits of its plan.

Every route takes `AccountOf`. Callers are recognized by *identifiers*, each a function of the
request that returns the account, or None to let the next one look; `VideoService.identifiers` holds
them. The first is the key file of `tallylens serve`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import sqlalchemy as sa
from fastapi import Depends, Request
from sqlalchemy import Connection

from ..server.access import service_of
from .clock import now_us
from .identifiers import derived_id
from .plans import UNLIMITED, Plan
from .problems import ProblemError
from .tables import accounts

if TYPE_CHECKING:
    from .service import VideoService

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


Identify = Callable[[Request], Awaitable[Account | None]]


def videos_of(request: Request) -> VideoService:
    """The video service of the application that a request came to."""
    found: VideoService = request.app.state.videos
    return found


async def _videos(request: Request) -> VideoService:
    # Asynchronous as every dependency here: FastAPI takes others to a thread, for each request.
    return videos_of(request)


VideosOf = Annotated["VideoService", Depends(_videos)]


async def account_of(request: Request) -> Account:
    """The account of a request.

    Raises:
        ProblemError: 401 without valid credentials, 403 where they are for something else.
    """
    for identify in videos_of(request).identifiers:
        account = await identify(request)
        if account is not None:
            return account
    raise ProblemError(
        401,
        "the request has no valid key",
        "Send a key: `Authorization: Bearer KEY`",
        headers={"www-authenticate": "Bearer"},
    )


AccountOf = Annotated[Account, Depends(account_of)]


async def manager_of(account: AccountOf) -> Account:
    """The account of a request that may manage it; raises ProblemError (403) for another."""
    if not account.manages:
        raise ProblemError(
            403,
            "the key may not manage the account",
            "Sign in, or use a key with the scope `account`",
        )
    return account


ManagerOf = Annotated[Account, Depends(manager_of)]


async def address_of(request: Request) -> str:
    """The address of the client, as the server knows it."""
    return request.client.host if request.client else ""


AddressOf = Annotated[str, Depends(address_of)]


async def account_of_key_file(request: Request) -> Account | None:
    """The account of a key in the key file; keys of one name share it, so that one can be changed.

    Raises:
        ProblemError: 403 if the key lacks the scope.
    """
    caller = service_of(request).auth.caller(request.headers.get("authorization"))
    if caller is None:
        return None
    if not caller.may(SCOPE):
        raise ProblemError(
            403, f"the key lacks the scope {SCOPE}", f"Use a key made with --scopes {SCOPE}"
        )
    name = caller.key.name
    identifier = derived_id("acc", name)
    service = videos_of(request)
    if identifier not in service.known_accounts:
        await service.database.call(_ensure_account, identifier, name)
        service.known_accounts.add(identifier)
    return Account(identifier, UNLIMITED)


def _ensure_account(connection: Connection, identifier: str, name: str) -> None:
    found = connection.scalar(sa.select(accounts.c.id).where(accounts.c.id == identifier))
    if found is None:
        row = {"id": identifier, "name": name, "created": now_us()}
        insert_if_absent(connection, accounts, row)


def insert_if_absent(connection: Connection, table: sa.Table, row: dict[str, object]) -> bool:
    """Insert a row unless one with its keys exists; whether it was inserted."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
    statement = insert(table).values(row).on_conflict_do_nothing()
    # Not by `rowcount`, which psycopg does not always have for an insertion.
    return connection.execute(statement.returning(sa.literal(1))).first() is not None
