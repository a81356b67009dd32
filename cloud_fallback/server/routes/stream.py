"""The websocket of `tallylens.v1`; what can be refused is refused before the upgrade."""

from __future__ import annotations

from fastapi import APIRouter, WebSocket

from ...wire.constants import PATH, SUBPROTOCOL, CloseCode
from ..access import CallerOf, RefusedError, ServiceOf, refusal
from ..auth import Caller
from ..connection import Connection
from ..service import Service

router = APIRouter()


@router.websocket(PATH)
async def stream(socket: WebSocket, service: ServiceOf, caller: CallerOf) -> None:
    """One connection of a device or web page."""
    try:
        admitted = _admit(service, socket, caller)
    except RefusedError as error:
        await socket.send_denial_response(refusal(socket, error.status))
        return
    await _serve(service, socket, admitted)


@router.websocket("/{path:path}")
async def elsewhere(socket: WebSocket) -> None:
    """A websocket at another path; without this route it would look like a missing scope."""
    await socket.send_denial_response(refusal(socket, 404))


def _admit(service: Service, socket: WebSocket, caller: Caller | None) -> Caller:
    """The caller, with one of its key's connections taken.

    Raises:
        RefusedError: a foreign origin, another subprotocol, no valid key, token or ticket, or too
            many connections.
    """
    offered = socket.scope.get("subprotocols", [])
    if not service.auth.allows_origin(socket.headers.get("origin")):
        raise RefusedError(403)
    if SUBPROTOCOL not in offered:
        raise RefusedError(400)
    caller = caller or service.auth.caller_of_ticket(offered)
    if caller is None:
        raise RefusedError(401)
    if not service.quota.connect(caller.key):
        raise RefusedError(429)
    return caller


async def _serve(service: Service, socket: WebSocket, caller: Caller) -> None:
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
