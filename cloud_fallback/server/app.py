"""The FastAPI application: one websocket, and a few short pages around it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import JSONResponse, PlainTextResponse

from ..wire.frames import PATH, SUBPROTOCOL, CloseCode
from .auth import Caller
from .connection import Connection
from .service import Service

LOOPBACK = ("127.0.0.1", "::1")


def create_app(service: Service) -> FastAPI:
    """The application around `service`; its lifespan runs the service."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    _add_pages(app, service)

    @app.websocket(PATH)
    async def stream(socket: WebSocket) -> None:
        await _stream(service, socket)

    return app


def _add_pages(app: FastAPI, service: Service) -> None:
    @app.get("/healthz")
    async def healthz() -> Response:
        return PlainTextResponse("ok")

    @app.get("/readyz")
    async def readyz() -> Response:
        ready = service.ready
        return PlainTextResponse("ready" if ready else "not ready", 200 if ready else 503)

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        caller = service.auth.caller(request.headers.get("authorization"))
        near = request.client is not None and request.client.host in LOOPBACK
        if not near and not (caller and caller.may("metrics")):
            return _refused(401)
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")

    @app.post("/v1/tokens")
    async def tokens(request: Request) -> Response:
        return _issue(service, request, "token")

    @app.post("/v1/tickets")
    async def tickets(request: Request) -> Response:
        return _issue(service, request, "ticket")


def _issue(service: Service, request: Request, what: str) -> Response:
    """A token or a ticket for the key that asks."""
    caller = service.auth.caller(request.headers.get("authorization"))
    if caller is None:
        return _refused(401)
    if not caller.may("token"):
        return _refused(403)
    if what == "ticket" and not service.auth.tickets:
        return _refused(501)
    make = service.auth.token if what == "token" else service.auth.ticket
    value, seconds = make(caller)
    headers = {"cache-control": "no-store"}
    return JSONResponse({what: value, "expires_in": seconds}, 201, headers)


def _refused(status: int) -> Response:
    why = {400: "ask for the subprotocol " + SUBPROTOCOL, 401: "no valid key, token or ticket"}
    text = {**why, 403: "not allowed", 429: "too many connections", 501: "no tickets here"}[status]
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}
    return PlainTextResponse(text, status, headers)


async def _stream(service: Service, socket: WebSocket) -> None:
    """Everything that can be refused is refused before the connection is upgraded."""
    offered = socket.scope.get("subprotocols", [])
    caller = service.auth.caller(socket.headers.get("authorization"))
    status = _refusal(service, socket, offered)
    if not status and caller is None:
        caller = service.auth.caller_of_ticket(offered)
    if not status and caller is None:
        status = 401
    if not status and caller and not service.quota.connect(caller.key):
        status = 429
    if status or caller is None:
        service.metrics.refused(str(status))
        await socket.send_denial_response(_refused(status))
        return
    await _speak(service, socket, service.auth.connected(caller))


def _refusal(service: Service, socket: WebSocket, offered: list[str]) -> int:
    if not service.auth.allows_origin(socket.headers.get("origin")):
        return 403
    return 0 if SUBPROTOCOL in offered else 400


async def _speak(service: Service, socket: WebSocket, caller: Caller) -> None:
    connection = Connection(service, socket, caller)
    service.metrics.connections.inc()
    try:
        await socket.accept(SUBPROTOCOL)
        if not service.ready:
            await socket.close(CloseCode.RESTART, "restarting")
            return
        service.connections.add(connection)
        await connection.run()
    finally:
        service.connections.discard(connection)
        service.metrics.connections.dec()
        service.quota.disconnect(caller.key)
