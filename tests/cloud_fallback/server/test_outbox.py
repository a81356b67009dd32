"""Clients that do not read their answers."""

from __future__ import annotations

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tallylens.cloud_fallback.server import outbox as outbox_module
from tallylens.cloud_fallback.wire.messages import (
    Hello,
    Result,
    encode,
)
from tallylens.edge_runtime.types import Image
from tests.support.running_service import (
    ServiceFactory,
    receive_as,
)
from tests.support.wire_frames import frame_message


def stuffed(websocket: ClientConnection, once: bytes) -> bool:
    """Whether the service stopped taking messages at some time."""
    try:
        for _ in range(200_000):
            websocket.send(once)
    except (ConnectionClosed, OSError):
        return True
    return False


@pytest.mark.slow
def test_a_client_that_does_not_read_is_closed_and_costs_little(
    serve: ServiceFactory, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Repeats of one frame, answered from memory, by a client that never reads an answer."""
    monkeypatch.setattr(outbox_module, "SEND_SECONDS", 0.2)
    running = serve()
    with running.session() as (bystander, _), running.connect(max_queue=1) as deaf:
        deaf.send(encode(Hello()))
        once = frame_message(1, image)
        deaf.send(once)
        deaf.socket.settimeout(5)
        assert stuffed(deaf, once)
        bystander.send(frame_message(1, image))
        assert len(receive_as(bystander, Result).detections) == 2
        deaf.socket.close()
