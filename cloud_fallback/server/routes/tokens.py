"""Short-lived credentials for a key of scope `token`: tokens for devices, tickets for web pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse

from ..access import RefusedError, ServiceOf, with_scope
from ..auth import Caller

router = APIRouter()
TokenCaller = Annotated[Caller, Depends(with_scope("token"))]


@router.post("/v1/tokens")
async def tokens(service: ServiceOf, caller: TokenCaller) -> Response:
    """A token that stands for the caller's key."""
    value, seconds = service.auth.token(caller)
    return _issued("token", value, seconds)


@router.post("/v1/tickets")
async def tickets(service: ServiceOf, caller: TokenCaller) -> Response:
    """A ticket for one connection of a web page."""
    if not service.auth.tickets:
        raise RefusedError(501)
    value, seconds = service.auth.ticket(caller)
    return _issued("ticket", value, seconds)


def _issued(name: str, value: str, seconds: int) -> Response:
    headers = {"cache-control": "no-store"}
    return JSONResponse({name: value, "expires_in": seconds}, 201, headers)
