"""Connections that are refused before the upgrade, and those that are not."""

from __future__ import annotations

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.support.running_service import (
    ServiceFactory,
    refused,
)


@pytest.mark.parametrize("key", [None, "tlk_" + "0" * 32, "a b", "x" * 5000])
def test_clients_without_a_valid_key_are_refused_before_the_upgrade(
    serve: ServiceFactory, key: str | None
) -> None:
    refused(serve(), 401, key=key)


def test_a_key_alone_does_not_let_a_foreign_page_in(serve: ServiceFactory) -> None:
    refused(serve(), 403, origin="https://other.example")


def test_another_protocol_is_refused(serve: ServiceFactory) -> None:
    refused(serve(), 400, subprotocols=["chat"])
    refused(serve(), 400, subprotocols=None)


def test_connections_of_a_key_are_limited(serve: ServiceFactory) -> None:
    running = serve(plan="[plans.p]\nconnections = 1\n")
    with running.connect():
        refused(running, 429)
    # A client may be gone before the service has noticed it.
    running.wait_until_left()
    with running.connect():
        pass


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/stream/", "/v2/stream"])
def test_a_wrong_path_is_told_apart_from_a_wrong_scope(serve: ServiceFactory, path: str) -> None:
    running = serve()
    with pytest.raises(InvalidStatus) as refusal, connect(f"{running.url}{path}", proxy=None):
        pass
    assert refusal.value.response.status_code == 404
    assert refusal.value.response.body == b"not found: websockets are at /v1/stream"
