"""Metrics: what they hold, and which clients see them."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

import pytest

from tallylens.edge_runtime.types import Image
from tests.cloud_fallback.server.routes.conftest import Application
from tests.support.asgi import ELSEWHERE, request
from tests.support.running_service import ServiceFactory, receive
from tests.support.wire_frames import frame_message


def test_metrics_count_connections_and_frames(serve: ServiceFactory, image: Image) -> None:
    running = serve()
    with running.session() as (websocket, _):
        websocket.send(frame_message(1, image))
        receive(websocket)
        _, text = running.get("/metrics", running.key)
    assert re.search(r"^tallylens_connections 1.0$", text, re.MULTILINE)
    assert 'tallylens_frames_total{outcome="answered"} 1.0' in text
    for name in ("queue_age_seconds", "batch_size", "stage_seconds", "queued_frames"):
        assert f"tallylens_{name}" in text


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", ELSEWHERE])
def test_metrics_ask_every_address_for_a_key_with_the_scope(
    application: Callable[..., Application], host: str
) -> None:
    allowed = application(("metrics",))
    assert request(allowed.app, "GET", "/metrics", host=host).status == 401
    assert request(allowed.app, "GET", "/metrics", host=host, key="tlk_0").status == 401
    answer = request(allowed.app, "GET", "/metrics", host=host, key=allowed.key)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    other = application(("detect",))
    assert request(other.app, "GET", "/metrics", host=host, key=other.key).status == 403


@pytest.mark.parametrize("field", ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: https"])
def test_a_client_cannot_forward_itself(
    serve: ServiceFactory, caplog: pytest.LogCaptureFixture, field: str
) -> None:
    """No proxy is named, so that the address in the log is that of the socket."""
    caplog.set_level(logging.INFO, "tallylens.server")
    with serve().socket() as client:
        header = f"Host: a\r\nForwarded: for=10.9.8.7\r\n{field.replace('127.0.0.1', '10.9.8.7')}"
        client.sendall(f"GET /metrics HTTP/1.1\r\n{header}\r\n\r\n".encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 401")
    (record,) = [one for one in caplog.records if one.getMessage() == "refused"]
    assert vars(record)["address"] == "127.0.0.1"
