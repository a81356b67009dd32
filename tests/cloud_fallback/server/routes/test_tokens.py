"""Tokens and tickets: issued for a key, valid for what they are for."""

from __future__ import annotations

import time
from typing import Any

import jwt

from tallylens.cloud_fallback.wire.constants import SUBPROTOCOL
from tallylens.cloud_fallback.wire.messages import (
    Hello,
    Welcome,
    encode,
)
from tests.support.running_service import (
    TOKEN_SECRET,
    ServiceFactory,
    receive_as,
    refused,
)


def test_a_token_stands_for_its_key_until_it_ends(serve: ServiceFactory) -> None:
    running = serve()
    issued = running.post("/v1/tokens", running.key)
    assert issued["expires_in"] == 900
    with running.connect(key=issued["token"]) as websocket:
        websocket.send(encode(Hello()))
        assert receive_as(websocket, Welcome).session
    claims = jwt.decode(issued["token"], TOKEN_SECRET, ["HS256"])
    over = jwt.encode(claims | {"exp": int(time.time()) - 1}, TOKEN_SECRET, "HS256")
    forged = jwt.encode(claims, b"x" * 32, "HS256")
    unsigned = jwt.encode(claims, "", "none")
    for token in (over, forged, unsigned):
        refused(running, 401, key=token)


def test_a_web_page_needs_its_origin_and_a_ticket_that_works_once(
    serve: ServiceFactory,
) -> None:
    running = serve(origins=("https://shop.example",))
    ticket = running.post("/v1/tickets", running.key)["ticket"]
    page: dict[str, Any] = {"key": None, "subprotocols": [SUBPROTOCOL, f"ticket.{ticket}"]}
    refused(running, 403, origin="https://other.example", **page)
    with running.connect(origin="https://shop.example", **page) as websocket:
        assert websocket.subprotocol == SUBPROTOCOL
        websocket.send(encode(Hello()))
        assert receive_as(websocket, Welcome).session
    refused(running, 401, origin="https://shop.example", **page)
