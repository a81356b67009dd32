"""Metrics: what they hold, and whom they are shown to."""

from __future__ import annotations

import re
from collections.abc import Callable

from tallylens.edge_runtime.types import Image
from tests.cloud_fallback.server.routes.conftest import Application
from tests.support.asgi import request
from tests.support.running_service import ServiceFactory, receive
from tests.support.wire_frames import frame_message


def test_metrics_count_connections_and_frames(serve: ServiceFactory, image: Image) -> None:
    running = serve()
    with running.session() as (websocket, _):
        websocket.send(frame_message(1, image))
        receive(websocket)
        _, text = running.get("/metrics")
    assert re.search(r"^tallylens_connections 1.0$", text, re.MULTILINE)
    assert 'tallylens_frames_total{outcome="answered"} 1.0' in text
    for name in ("queue_age_seconds", "batch_size", "stage_seconds", "queued_frames"):
        assert f"tallylens_{name}" in text


def test_metrics_are_for_this_machine_and_for_keys_with_the_scope(
    application: Callable[..., Application],
) -> None:
    allowed = application(("metrics",))
    assert request(allowed.app, "GET", "/metrics").status == 401
    assert request(allowed.app, "GET", "/metrics", key="tlk_0").status == 401
    assert request(allowed.app, "GET", "/metrics", host="127.0.0.1").status == 200
    answer = request(allowed.app, "GET", "/metrics", key=allowed.key)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    other = application(("detect",))
    assert request(other.app, "GET", "/metrics", key=other.key).status == 401
