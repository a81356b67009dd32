"""HTTP/1.1 and websockets as uvicorn speaks them, with a deadline and bounds for each request."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

import h11
from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

from ..wire.constants import CloseCode
from .socket_pool import SocketEntry

MAX_HEADERS = 100
MAX_HEADER_BYTES = 8192
MAX_FRAGMENTS = 1024
DIRECT = "tallylens.direct"
"""Name of the extension of the scope that is the protocol itself: a `DirectSocket`."""
CLOSE_S = 1.0
SOCKET = "tallylens.socket"
"""Name of the socket's entry among the extensions of an ASGI scope."""


class _StrictConnection(h11.Connection):
    """Refuses requests with more than any client sends, or with two statements of their length."""

    entry: SocketEntry
    request_begun: Callable[[h11.Request], None]

    def next_event(self) -> Any:
        """The next event; raises RemoteProtocolError for a request that is refused."""
        event = super().next_event()
        if isinstance(event, h11.Request):
            _check_request(event)
            self.request_begun(event)
        elif isinstance(event, h11.Data):
            self.entry.body_received()
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


def with_socket(app: Any, entry: SocketEntry) -> Any:
    """`app` with the socket's entry in each scope, for routes that take long bodies."""

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        extensions = {**(scope.get("extensions") or {}), SOCKET: entry}
        await app({**scope, "extensions": extensions}, receive, send)

    return inner


class HttpProtocol(H11Protocol):
    """One HTTP connection."""

    entry: SocketEntry

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The connection exists; a request is due."""
        super().connection_made(transport)
        strict = _StrictConnection(h11.SERVER, MAX_HEADERS * 160)
        strict.entry = self.entry
        strict.request_begun = self._request_begun
        self.conn = strict
        self.entry.drop = transport.abort
        self.entry.time_out = self._time_out
        self.app = with_socket(self.app, self.entry)

    def _request_begun(self, request: h11.Request) -> None:
        """Know the client that a named proxy asks for."""
        client = self.entry.request_from(list(request.headers))
        if self.client is not None and self.client[0] != client:
            self.client = (client, 0)

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
        protocol.client = self.client
        protocol.take(self.entry)

    def send_400_response(self, msg: str) -> None:
        """Answer an invalid request with the status of its fault."""
        error = sys.exception()
        hint = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        # Without the line at fault, which may hold a key.
        self._refuse(hint, str(error or msg).partition(": bytearray")[0])

    def _time_out(self) -> None:
        self._refuse(408, "the request was not complete in time")

    def _refuse(self, status: int, text: str) -> None:
        """Answer if no answer was begun, and close at once."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.write(_refusal(status, text))
        self.transport.close()
        # A client that does not read its answer or say goodbye in TLS is not waited for.
        self.loop.call_later(CLOSE_S, self.transport.abort)


def _refusal(status: int, text: str) -> bytes:
    """A whole response of plain text; one of h11 would need a request that it understood."""
    body = text.encode("ascii", "replace")[:200] + b"\n"
    return (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: text/plain\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode() + body


class WebsocketProtocol(WebSocketsSansIOProtocol):
    """One websocket, and its handshake.

    Nothing is read before the handshake is answered, nor while the client leaves what it was sent
    unread: neither early data nor answers to pings can pile up.
    """

    entry: SocketEntry | None = None
    _write_paused = False
    _held = False
    _deliver: Callable[[bytes], None] | None = None

    def deliver_to(self, take: Callable[[bytes], None] | None) -> None:
        """Give binary messages to `take` as they come, not to the application; None ends that."""
        self._deliver = take

    def write_text(self, text: bytes) -> bool:
        """Write one text message; False where it must wait, or the websocket is not open."""
        if self._write_paused or self.close_sent or self.disconnected:
            return False
        if not self.handshake_complete or self.transport.is_closing():
            return False
        self.transport.write(_text_header(len(text)) + text)
        return True

    def hold(self) -> None:
        """Read nothing more from the client, until `release`."""
        self._held = True
        self.transport.pause_reading()

    def release(self) -> None:
        """Read again, unless something else forbids it."""
        self._held = False
        self._read_again()

    def _read_again(self) -> None:
        paused = self.read_paused or self._write_paused or self._held
        if not paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def handle_connect(self, event: Request) -> None:
        """Answer a handshake; the application finds this protocol among the extensions."""
        super().handle_connect(event)
        if self.response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            extensions = cast(dict[str, Any], self.scope["extensions"])
            extensions[DIRECT] = self

    def handle_bytes(self, event: Frame) -> None:
        """Take a binary message; in order, so that none passes one that the application has."""
        if self._deliver is None or not event.fin or self.close_sent or not self.queue.empty():
            super().handle_bytes(event)
        else:
            self._deliver(bytes(event.data))

    def take(self, entry: SocketEntry) -> None:
        """Belong to a socket, from its handshake on."""
        self.entry = entry
        entry.time_out = entry.drop
        if hasattr(self, "scope"):
            self.scope["client"] = self.client
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self.transport.write(b"".join(self.conn.data_to_send()))
            self._close_soon()
        elif not self.transport.is_closing():
            self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        if self.entry is not None:
            self.entry.closed()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read: take nothing more from it."""
        super().pause_writing()
        self._write_paused = True
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """The client has read: take more, unless the application is behind."""
        super().resume_writing()
        self._write_paused = False
        self._read_again()

    def handle_cont(self, event: Frame) -> None:
        """Append a fragment; a message of very many is refused, whatever its size."""
        if len(self.frames) >= MAX_FRAGMENTS:
            self.frames = []
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
            self.handle_parser_exception()
            return
        super().handle_cont(event)

    def data_received(self, data: bytes) -> None:
        """Take what the client sent; nothing more after its fault."""
        if self.conn.parser_exc is None or not self.close_sent:
            super().data_received(data)

    def handle_parser_exception(self) -> None:
        """Close with the code of the client's fault, and read past the rest of what it sends.

        A connection that is closed with data unread is reset, which takes the close frame with it.
        """
        closing = self.conn.close_sent
        assert closing is not None
        code, reason = closing.code, closing.reason
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self._read_again()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.close_timer = self.loop.call_later(CLOSE_S, self.transport.close)

    def keepalive_timeout(self) -> None:
        """The client does not answer pings, and may not read the close frame either."""
        super().keepalive_timeout()
        self.loop.call_later(CLOSE_S, self.transport.abort)

    async def run_asgi(self) -> None:
        """Run the application; the socket is gone soon after it, whatever the client does."""
        await super().run_asgi()
        self.loop.call_later(self.close_timeout + CLOSE_S, self.transport.abort)

    async def receive(self) -> ASGIReceiveEvent:
        """The next event for the application."""
        message = await super().receive()
        if (self._write_paused or self._held) and not self.transport.is_closing():
            self.transport.pause_reading()
        return message

    async def send(self, message: ASGISendEvent) -> None:
        """Send for the application."""
        await super().send(message)
        if self.entry is None:
            return
        if message["type"] == "websocket.accept":
            self.entry.admitted()
            self._read_again()
        elif message["type"] == "websocket.http.response.body" and self.close_sent:
            # Answered with a status, not forgotten, as uvicorn would log.
            self.handshake_complete = True

    def _close_soon(self) -> None:
        self.transport.close()
        self.loop.call_later(CLOSE_S, self.transport.abort)


def _text_header(size: int) -> bytes:
    """In front of a whole text message of a server, which is not masked (RFC 6455, 5.2)."""
    if size < 126:
        return bytes((0x81, size))
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2)
    return b"\x81\x7f" + size.to_bytes(8)
