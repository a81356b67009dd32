"""Dependencies of routes: the service, the authenticated caller, and how a request is refused."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.requests import HTTPConnection

from ..wire.constants import PATH, SUBPROTOCOL
from .auth import Caller
from .service import Service

log = logging.getLogger("tallylens.server")
_TEXTS = {
    400: f"ask for the subprotocol {SUBPROTOCOL}",
    401: "no valid key, token or ticket",
    403: "not allowed",
    404: f"not found: websockets are at {PATH}",
    429: "too many connections",
    501: "this server issues no tickets",
}


class RefusedError(Exception):
    """A request that ends with an HTTP status and one line of text."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(_TEXTS[status])


def refusal(connection: HTTPConnection, status: int) -> Response:
    """The response of a refused request, which is logged and counted."""
    address = connection.client.host if connection.client else ""
    log.info("refused", extra={"status": status, "address": address, "path": _path(connection)})
    service_of(connection).metrics.refused(str(status))
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}
    return PlainTextResponse(_TEXTS[status], status, headers)


def handle_refusals(app: FastAPI) -> None:
    """Answer every `RefusedError` of a route with its status."""

    async def handle(request: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        return refusal(request, error.status)

    app.add_exception_handler(RefusedError, handle)


def _path(connection: HTTPConnection) -> str:
    return connection.url.path[:100]


def service_of(connection: HTTPConnection) -> Service:
    """The service of the application that a request or websocket came to."""
    service: Service = connection.app.state.service
    return service


async def _service(connection: HTTPConnection) -> Service:
    # Asynchronous as every dependency here: FastAPI takes others to a thread, for each request.
    return service_of(connection)


ServiceOf = Annotated[Service, Depends(_service)]


async def caller_of(connection: HTTPConnection, service: ServiceOf) -> Caller | None:
    """The caller whose key or token the `Authorization` header holds; None without a valid one."""
    return service.auth.caller(connection.headers.get("authorization"))


CallerOf = Annotated[Caller | None, Depends(caller_of)]


def with_scope(scope: str) -> Callable[[Caller | None], Awaitable[Caller]]:
    """A dependency: the caller, refused with 401 without a valid key, 403 without the scope."""

    async def dependency(caller: CallerOf) -> Caller:
        if caller is None:
            raise RefusedError(401)
        if not caller.may(scope):
            raise RefusedError(403)
        return caller

    return dependency
