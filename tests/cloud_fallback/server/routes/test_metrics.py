"""Health probes and metrics."""

from __future__ import annotations

import re

from tallylens.edge_runtime.types import Image
from tests.support.running_service import (
    ServiceFactory,
    receive,
)
from tests.support.wire_frames import frame_message


def test_pages(serve: ServiceFactory, image: Image) -> None:
    running = serve()
    assert running.get("/healthz") == (200, "ok")
    assert running.get("/readyz") == (200, "ready")
    with running.session() as (websocket, _):
        websocket.send(frame_message(1, image))
        receive(websocket)
        _, text = running.get("/metrics")
    assert re.search(r"^tallylens_connections 1.0$", text, re.MULTILINE)
    assert 'tallylens_frames_total{outcome="answered"} 1.0' in text
    for name in ("queue_age_seconds", "batch_size", "stage_seconds", "queued_frames"):
        assert f"tallylens_{name}" in text
