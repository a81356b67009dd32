"""Dependencies of routes: the service, the account of the request, and its address.

Every route takes `AccountOf`. Callers are recognized by *identifiers*, each a function of the
request that returns the account, or None to let the next one look; `VideoService.identifiers` holds
them. The first is the key file of `tallylens serve`.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from ..accounts import Account
from ..problems import ProblemError
from ..service import VideoService


def videos_of(request: Request) -> VideoService:
    """The video service of the application that a request came to."""
    found: VideoService = request.app.state.videos
    return found


async def _videos(request: Request) -> VideoService:
    # Asynchronous as every dependency here: FastAPI takes others to a thread, for each request.
    return videos_of(request)


VideosOf = Annotated[VideoService, Depends(_videos)]


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
