"""Clients without a key: silent, slow, oversized or many, before a request is complete."""

from __future__ import annotations

import contextlib
import re
import resource
import selectors
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallylens.cloud_fallback.server.keys import entry, new_key
from tallylens.cloud_fallback.server.socket_pool import SocketLimits
from tallylens.cloud_fallback.wire.constants import PATH, SUBPROTOCOL
from tests.support.running_service import PATIENCE_S, RunningService, ServiceFactory

SOON = SocketLimits(request_s=0.2)
UPGRADE = (
    f"GET {PATH} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n"
)
REST_OF_BODY = "POST /v1/tokens HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"


def answer(client: socket.socket) -> bytes:
    """Everything that the server sends until it closes the connection."""
    said = b""
    client.settimeout(PATIENCE_S)
    with contextlib.suppress(ConnectionResetError, ssl.SSLError):
        while part := client.recv(65536):
            said += part
    return said


def unprotected(running: RunningService) -> socket.socket:
    return running.socket()


def protected(running: RunningService) -> socket.socket:
    context = ssl.create_default_context(cafile=running.ca)
    return context.wrap_socket(running.socket(), server_hostname="localhost")


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("", b"408"),
        ("GET /heal", b"408"),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n", b"408"),
        (UPGRADE, b"408"),
        ("nonsense\r\n\r\n", b"400"),
        (REST_OF_BODY, b"401"),
        (UPGRADE + "X-A: 1\r\n" * 130 + "\r\n", b"431"),
        (UPGRADE + f"X-A: {'a' * 9000}\r\n\r\n", b"431"),
        # In one TLS record: a client that still sends may get a reset before the answer.
        (UPGRADE + f"X-A: {'a' * 15_900}", b"431"),
        (f"GET /{'a' * 9000} HTTP/1.1\r\nHost: a\r\n\r\n", b"414"),
        (UPGRADE + "X\x01: 1\r\n\r\n", b"400"),
        (
            "POST /v1/tokens HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n",
            b"400",
        ),
    ],
)
def test_a_request_that_is_not_complete_or_not_sane_is_answered_and_closed(
    serve: ServiceFactory, tls: bool, said: str, status: bytes
) -> None:
    running = serve(tls=tls, limits=SOON)
    with contextlib.closing((protected if tls else unprotected)(running)) as client:
        client.sendall(said.encode())
        heard = answer(client)
    assert heard.startswith(b"HTTP/1.1 " + status)
    assert heard.count(b"HTTP/1.1 ") == 1
    running.wait_until(lambda: not len(running.server.sockets))


def test_tls_and_then_silence_is_closed(serve: ServiceFactory) -> None:
    running = serve(tls=True, limits=SOON)
    with running.socket() as client:
        assert answer(client) == b""
    assert b'sockets_dropped_total{why="deadline"} 1.0' in running.service.metrics.text()


def test_bytes_that_drip_do_not_extend_the_time(serve: ServiceFactory) -> None:
    """Nor do those of a second request, after one that was complete."""
    running = serve(limits=SOON)
    for before in ("", "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"):
        with running.socket() as client:
            client.sendall(before.encode())
            with contextlib.suppress(ConnectionError):
                for _ in range(300):
                    client.sendall(b"a")
                    time.sleep(0.01)
                pytest.fail("open after 15 times the limit")


def test_sockets_without_a_key_are_shown_until_they_are_closed(serve: ServiceFactory) -> None:
    running = serve()
    with running.socket(), running.session():
        running.wait_until(lambda: len(running.server.sockets) == 2)
        text = running.service.metrics.text()
    assert b'sockets{state="waiting"} 1.0' in text
    assert b'sockets{state="admitted"} 1.0' in text
    running.wait_until(lambda: not len(running.server.sockets))


def test_a_flood_leaves_probes_and_accepted_connections_alone(serve: ServiceFactory) -> None:
    running = serve(limits=SocketLimits(waiting=8))
    with contextlib.ExitStack() as stack:
        websocket, _ = stack.enter_context(running.session())
        for _ in range(20):
            stack.enter_context(running.socket())
            assert running.get("/healthz") == (200, "ok")
        assert len(running.server.sockets) <= 9
        assert websocket.ping().wait(PATIENCE_S)


def test_clients_that_vanish_in_the_handshake_leave_nothing(serve: ServiceFactory) -> None:
    running = serve(tls=True)
    for said in (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"):
        with running.socket() as client:
            client.sendall(said)
    running.wait_until(lambda: not len(running.server.sockets))


@contextlib.contextmanager
def limited_process(model: Path, folder: Path, descriptors: int) -> Iterator[int]:
    """The port of `tallylens serve` in a process that may have this many descriptors."""
    keys = folder / "keys.toml"
    keys.write_text(entry("tester", new_key()))
    command = [sys.executable, "-m", "tallylens", "serve", "--model", str(model)]
    limits = (descriptors, descriptors)
    process = subprocess.Popen(
        [*command, "--keys", str(keys), "--port", "0", "--lanes", "1"],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits),
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search("listening on port ([0-9]+)", line):
                yield int(found[1])
                break
    finally:
        process.terminate()
        process.stderr.close()
        process.wait(PATIENCE_S)


def open_still(clients: list[socket.socket]) -> int:
    """How many of the sockets the server has not closed."""
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ)
        return len(clients) - len(selector.select(0))


@pytest.mark.slow
def test_300_silent_connections_do_not_take_a_process_with_256_descriptors_down(
    tiny_model: Path, tmp_path: Path
) -> None:
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(limited_process(tiny_model, tmp_path, 256))
        address = ("127.0.0.1", port)
        clients = [stack.enter_context(socket.create_connection(address)) for _ in range(300)]
        begun, probes = time.monotonic(), 0
        while open_still(clients):
            assert time.monotonic() - begun < 10 + PATIENCE_S
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as page:
                assert page.status == 200
            probes += 1
            time.sleep(0.1)
        assert time.monotonic() - begun > 8
        assert probes
