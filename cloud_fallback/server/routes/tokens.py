"""Short-lived credentials for a key of scope `token`: tokens for devices, tickets for web pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import JSONResponse

from ..access import RefusedError, ServiceOf, with_scope
from ..auth import TOKEN_SCOPES, Caller

router = APIRouter()
Scopes = Annotated[str | None, Query(max_length=100)]
TokenCaller = Annotated[Caller, Depends(with_scope("token"))]


@router.post("/v1/tokens")
async def tokens(service: ServiceOf, caller: TokenCaller, scopes: Scopes = None) -> Response:
    """A token that stands for the caller's key, with the scopes asked for, as in `detect,count`."""
    asked = TOKEN_SCOPES if scopes is None else tuple(scopes.split(","))
    if not set(asked) <= caller.scopes and scopes is not None:
        raise RefusedError(403)
    value, seconds, granted = service.auth.token(caller, asked)
    return _issued("token", value, seconds, scopes=granted)


@router.post("/v1/tickets")
async def tickets(service: ServiceOf, caller: TokenCaller) -> Response:
    """A ticket for one connection of a web page."""
    if not service.auth.tickets:
        raise RefusedError(501)
    value, seconds = service.auth.ticket(caller)
    return _issued("ticket", value, seconds)


def _issued(name: str, value: str, seconds: int, **others: list[str]) -> Response:
    headers = {"cache-control": "no-store"}
    return JSONResponse({name: value, "expires_in": seconds, **others}, 201, headers)
