"""Forwarded addresses: believed of a named proxy, and of nobody else."""

from __future__ import annotations

import contextlib
import logging
import socket

import pytest

from tallylens.cloud_fallback.server.proxies import TrustedProxies
from tallylens.cloud_fallback.server.socket_pool import SocketLimits
from tallylens.cloud_fallback.wire.constants import PATH, SUBPROTOCOL
from tallylens.edge_runtime.errors import UsageError
from tests.support.running_service import PATIENCE_S, RunningService, ServiceFactory

NAMED = ("127.0.0.1", "10.0.0.0/8", "fd00::/8")


@pytest.mark.parametrize(
    ("peer", "headers", "client"),
    [
        ("127.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("::ffff:127.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("127.0.0.1", ["198.51.100.1, 203.0.113.7, 10.1.2.3"], "203.0.113.7"),
        ("127.0.0.1", ["198.51.100.1", "203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["203.0.113.7, nonsense"], None),
        ("127.0.0.1", ["203.0.113.7:443"], None),
        ("127.0.0.1", ["10.1.2.3"], None),
        ("127.0.0.1", [""], None),
        ("127.0.0.1", [], None),
        ("192.0.2.1", ["203.0.113.7"], None),
        ("", ["203.0.113.7"], None),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxy(
    peer: str, headers: list[str], client: str | None
) -> None:
    listed = [(b"X-Forwarded-For", one.encode()) for one in headers]
    assert TrustedProxies(NAMED).client(peer, listed) == client
    assert TrustedProxies().client(peer, listed) is None


@pytest.mark.parametrize("wrong", ["proxy.example.com", "10.0.0.0/33", ""])
def test_a_proxy_is_named_by_its_address(wrong: str) -> None:
    with pytest.raises(UsageError, match="does not appear to be an IPv4 or IPv6"):
        TrustedProxies([wrong])


def refused_upgrade(running: RunningService, client: str) -> None:
    """A websocket without a key, as a proxy forwards one for `client`."""
    request = (
        f"GET {PATH} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\nX-Forwarded-For: {client}\r\n\r\n"
    )
    with running.socket() as opened:
        opened.sendall(request.encode())
        assert opened.recv(12) == b"HTTP/1.1 401"


@pytest.mark.parametrize(("proxies", "shown"), [((), "127.0.0.1"), (NAMED, "203.0.113.7")])
def test_logs_show_the_client_behind_a_named_proxy(
    serve: ServiceFactory, caplog: pytest.LogCaptureFixture, proxies: tuple[str, ...], shown: str
) -> None:
    caplog.set_level(logging.INFO)
    running = serve(proxies=proxies)
    refused_upgrade(running, "203.0.113.7")
    running.wait_until(lambda: not len(running.server.sockets))
    (line,) = [one for one in caplog.records if one.msg == "refused"]
    assert vars(line)["address"] == shown


def begun_body(running: RunningService, client: str) -> socket.socket:
    """A request through a proxy that stays incomplete."""
    opened = running.socket()
    head = f"POST /v1/tokens HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {client}\r\n"
    opened.sendall(f"{head}Expect: 100-continue\r\nContent-Length: 9\r\n\r\n".encode())
    return opened


def waiting(running: RunningService) -> dict[str, int]:
    """How many sockets wait, by the address for which they count."""
    pool = running.server.sockets
    found: dict[str, int] = running.call(
        lambda: {group: len(entries) for group, entries in pool._waiting.items()}
    )
    return found


def test_the_limit_of_one_address_is_for_clients_behind_the_proxy_not_for_it(
    serve: ServiceFactory,
) -> None:
    limits = SocketLimits(waiting=40, waiting_of_address=4)
    running = serve(proxies=NAMED, limits=limits)
    with contextlib.ExitStack() as stack:
        for number in range(9):
            stack.enter_context(running.socket())
            stack.enter_context(begun_body(running, f"203.0.113.{number}"))
        running.wait_until(lambda: len(running.server.sockets._waiting) == 10)
        assert waiting(running)["127.0.0.1"] == 9
        crowd = [stack.enter_context(begun_body(running, "198.51.100.1")) for _ in range(6)]
        crowd[0].settimeout(PATIENCE_S)
        with contextlib.suppress(ConnectionResetError):
            while crowd[0].recv(4096):
                pass
        assert waiting(running)["198.51.100.1"] <= 4
        assert running.get("/healthz") == (200, "ok")
