"""Bounds of a websocket below its messages: control frames, fragments, early data, slow readers."""

from __future__ import annotations

import contextlib
import socket

import pytest

from tallylens.cloud_fallback.server import http_protocols
from tallylens.cloud_fallback.wire.constants import PATH, SUBPROTOCOL, CloseCode
from tallylens.cloud_fallback.wire.messages import Hello, encode
from tallylens.edge_runtime.types import Image
from tests.support.running_service import (
    PATIENCE_S,
    RunningService,
    ServiceFactory,
    close_code,
    receive,
)
from tests.support.wire_frames import frame_message

PING = b"\x89\xfd" + bytes(4) + bytes(125)
EMPTY_START, EMPTY_CONTINUATION = b"\x02\x80" + bytes(4), b"\x00\x80" + bytes(4)
HANDSHAKE = (
    f"GET {PATH} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n"
)


def unread_bytes(running: RunningService) -> int:
    """The largest number of bytes that wait in the server for a client to read them."""

    def largest() -> int:
        connections = running.server._uvicorn.server_state.connections
        return max(one.transport.get_write_buffer_size() for one in connections)

    return int(running.call(largest))


def slow_reader(running: RunningService) -> socket.socket:
    """A websocket of a client with small buffers that reads nothing but the handshake."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(PATIENCE_S)
    client.connect(("127.0.0.1", running.port))
    client.sendall(f"{HANDSHAKE}Authorization: Bearer {running.key}\r\n\r\n".encode())
    assert client.recv(12) == b"HTTP/1.1 101"
    return client


@pytest.mark.slow
def test_answers_to_pings_do_not_pile_up(serve: ServiceFactory) -> None:
    """Without back pressure 16 MiB of pings are answered into memory."""
    running = serve()
    with slow_reader(running) as client:
        client.settimeout(1)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 16 << 20:
                sent += client.send(PING * 500)
        assert unread_bytes(running) < 1 << 20
        assert sent < 16 << 20


@pytest.mark.parametrize("fragment", [EMPTY_CONTINUATION, b"\x00\x81" + bytes(5)])
def test_a_message_of_very_many_fragments_is_refused(
    serve: ServiceFactory, fragment: bytes
) -> None:
    with serve().session() as (websocket, _):
        with contextlib.suppress(ConnectionError):
            websocket.socket.sendall(EMPTY_START + fragment * 2000)
        assert close_code(websocket) == CloseCode.MESSAGE_TOO_BIG


def test_a_frame_in_some_fragments_is_one_frame(serve: ServiceFactory, image: Image) -> None:
    message = frame_message(1, image)
    with serve().session() as (websocket, _):
        websocket.send(message[at : at + 100] for at in range(0, len(message), 100))
        assert receive(websocket).type == "result"


def test_messages_right_after_the_handshake_are_read(serve: ServiceFactory) -> None:
    """Reading pauses during the handshake, and is resumed after it."""
    with serve().connect() as websocket:
        websocket.send(encode(Hello()))
        assert receive(websocket).type == "welcome"


def test_a_client_that_never_reads_its_close_frame_is_gone_soon(
    serve: ServiceFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocols, "CLOSE_S", 0.05)
    running = serve()
    with slow_reader(running):
        running.wait_until(lambda: bool(running.service.connections))

        def time_out() -> None:
            (protocol,) = running.server._uvicorn.server_state.connections
            protocol.transport.write(bytes(16 << 20))
            protocol.keepalive_timeout()  # type: ignore[union-attr]

        running.call(time_out)
        running.wait_until(lambda: not len(running.server.sockets))
    running.wait_until_left()


def test_the_answer_to_a_damaged_header_does_not_repeat_it(serve: ServiceFactory) -> None:
    with socket.create_connection(("127.0.0.1", serve().port), PATIENCE_S) as client:
        client.sendall(b"GET / HTTP/1.1\r\nAuthorization: Bearer tl_secret\xff\x00\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b"\r\n\r\nillegal header line\n")
