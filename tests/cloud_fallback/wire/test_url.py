"""Addresses of servers: those accepted, and those refused with a reason."""

from __future__ import annotations

import pytest

from tallylens.cloud_fallback.wire.url import is_loopback, stream_url
from tallylens.edge_runtime.errors import UsageError


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("wss://host:8443", "wss://host:8443/v1/stream"),
        ("wss://host", "wss://host/v1/stream"),
        ("wss://host/behind/", "wss://host/behind/v1/stream"),
        ("wss://host/v1/stream", "wss://host/v1/stream"),
        ("ws://localhost:1", "ws://localhost:1/v1/stream"),
        ("ws://127.0.0.1:1", "ws://127.0.0.1:1/v1/stream"),
        ("ws://[::1]:1", "ws://[::1]:1/v1/stream"),
    ],
)
def test_addresses(given: str, url: str) -> None:
    assert stream_url(given) == url


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("https://host", "is not a websocket address"),
        ("wss://", "is not a websocket address"),
        ("wss://host:port", "is not a websocket address"),
        ("wss://[", "is not a websocket address"),
        ("wss://key@host", "holds more than an address"),
        ("wss://host/?key=tlk_1", "holds more than an address"),
        ("ws://host:8443", "send images unencrypted"),
        ("ws://127.0.0.1.example", "send images unencrypted"),
    ],
)
def test_addresses_that_are_refused(given: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as refused:
        stream_url(given)
    assert "tlk_1" not in str(refused.value)


@pytest.mark.parametrize(
    ("host", "near"),
    [("localhost", True), ("127.9.9.9", True), ("::1", True), ("0.0.0.0", False), ("a.b", False)],
)
def test_loopback(host: str, near: bool) -> None:
    assert is_loopback(host) == near
