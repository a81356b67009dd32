"""Probes of an orchestrator."""

from __future__ import annotations

from collections.abc import Callable

from tests.cloud_fallback.server.routes.conftest import Application
from tests.support.asgi import request
from tests.support.running_service import ServiceFactory


def test_a_process_is_healthy_before_it_is_ready(
    application: Callable[..., Application],
) -> None:
    app = application().app
    assert request(app, "GET", "/healthz").body == "ok"
    answer = request(app, "GET", "/readyz")
    assert (answer.status, answer.body) == (503, "not ready")


def test_a_service_that_listens_is_ready(serve: ServiceFactory) -> None:
    running = serve()
    assert running.get("/healthz") == (200, "ok")
    assert running.get("/readyz") == (200, "ready")
