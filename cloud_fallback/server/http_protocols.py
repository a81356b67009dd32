"""HTTP/1.1 and websockets as uvicorn speaks them, with a deadline and bounds for each request."""

from __future__ import annotations

import asyncio
import sys
from http import HTTPStatus
from typing import Any

import h11
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from .socket_pool import SocketEntry

MAX_HEADERS = 100
MAX_HEADER_BYTES = 8192


class _StrictConnection(h11.Connection):
    """Refuses requests with more than any client sends, or with two statements of their length."""

    entry: SocketEntry

    def next_event(self) -> Any:
        """The next event; raises RemoteProtocolError for a request that is refused."""
        event = super().next_event()
        if isinstance(event, h11.Request):
            _check_request(event)
        elif isinstance(event, h11.EndOfMessage):
            if self.our_state is h11.DONE:
                # The rest of a request that was answered before it had arrived.
                self.entry.expect_request()
            else:
                self.entry.request_received()
        return event


def _check_request(request: h11.Request) -> None:
    names = [name for name, _ in request.headers]
    # A proxy in front may believe the other one, and see another request than this server.
    if b"content-length" in names and b"transfer-encoding" in names:
        raise h11.RemoteProtocolError("Content-Length beside Transfer-Encoding")
    longest = max((len(name) + len(value) for name, value in request.headers), default=0)
    if len(names) > MAX_HEADERS or longest + 2 > MAX_HEADER_BYTES:
        raise h11.RemoteProtocolError("too many or too long headers", 431)
    if len(request.target) > MAX_HEADER_BYTES:
        raise h11.RemoteProtocolError("too long a target", 414)


class HttpProtocol(H11Protocol):
    """One HTTP connection."""

    entry: SocketEntry

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The connection exists; a request is due."""
        super().connection_made(transport)
        strict = _StrictConnection(h11.SERVER, MAX_HEADERS * 160)
        strict.entry = self.entry
        self.conn = strict
        self.entry.drop = transport.abort
        self.entry.time_out = self._time_out

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self.entry.closed()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """A request is answered; the next one is due as the first was."""
        self.entry.expect_request()
        super().on_response_complete()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over to a protocol for websockets."""
        super().handle_websocket_upgrade(event)
        protocol = self.transport.get_protocol()
        assert isinstance(protocol, WebsocketProtocol)
        protocol.take(self.entry)

    def send_400_response(self, msg: str) -> None:
        """Answer an invalid request with the status of its fault."""
        error = sys.exception()
        hint = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        self._refuse(hint, str(error or msg))

    def _time_out(self) -> None:
        self._refuse(408, "the request was not complete in time")

    def _refuse(self, status: int, text: str) -> None:
        """Answer if no answer was begun, and close at once."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.write(_refusal(status, text))
        self.transport.close()
        # A client that does not read its answer or say goodbye in TLS is not waited for.
        self.loop.call_later(1, self.transport.abort)


def _refusal(status: int, text: str) -> bytes:
    """A whole response of plain text; one of h11 would need a request that it understood."""
    body = text.encode("ascii", "replace")[:200] + b"\n"
    return (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: text/plain\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode() + body


class WebsocketProtocol(WebSocketsSansIOProtocol):
    """One websocket, and its handshake."""

    entry: SocketEntry | None = None

    def take(self, entry: SocketEntry) -> None:
        """Belong to a socket, from its handshake on."""
        self.entry = entry
        entry.time_out = entry.drop
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        if self.entry is not None:
            self.entry.closed()
        super().connection_lost(exc)

    async def send(self, message: ASGISendEvent) -> None:
        """Send for the application."""
        await super().send(message)
        if self.entry is None:
            return
        if message["type"] == "websocket.accept":
            self.entry.admitted()
        elif message["type"] == "websocket.http.response.body" and self.close_sent:
            # Answered with a status, not forgotten, as uvicorn would log.
            self.handshake_complete = True
