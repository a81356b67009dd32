"""Tokens and tickets: issued for a key, valid for what they are for."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest

from tallylens.cloud_fallback.server.auth import Auth
from tallylens.cloud_fallback.server.keys import KeyFile
from tallylens.cloud_fallback.wire.constants import SUBPROTOCOL
from tallylens.cloud_fallback.wire.messages import (
    Hello,
    Welcome,
    encode,
)
from tallylens.edge_runtime.errors import UsageError
from tests.cloud_fallback.server.routes.conftest import Application
from tests.support.asgi import request
from tests.support.running_service import (
    PATIENCE_S,
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


def test_a_token_has_the_scopes_asked_for_and_no_others(
    application: Callable[..., Application],
) -> None:
    made = application(("token", "metrics", "detect"))

    def token(query: str) -> tuple[int, dict[str, Any]]:
        answer = request(made.app, "POST", f"/v1/tokens{query}", key=made.key)
        return answer.status, json.loads(answer.body) if answer.status == 201 else {}

    for query, scopes in (("", ["detect"]), ("?scopes=metrics", ["metrics"])):
        status, document = token(query)
        assert (status, document["scopes"]) == (201, scopes)
        for path, method, scope in (
            ("/metrics", "GET", "metrics"),
            ("/v1/tokens", "POST", "token"),
        ):
            expected = 403 if scope not in scopes else 200
            answer = request(made.app, method, path, key=document["token"])
            assert answer.status == expected
    assert token("?scopes=detect,count")[0] == 403
    assert token("?scopes=root")[0] == 403


def test_a_ticket_ends_before_its_connection(
    serve: ServiceFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = serve()
    tickets = [running.post("/v1/tickets", running.key)["ticket"] for _ in range(2)]
    pages: list[dict[str, Any]] = [
        {"key": None, "subprotocols": [SUBPROTOCOL, f"ticket.{one}"]} for one in tickets
    ]
    now = time.time()
    with running.connect(**pages[0]) as websocket:
        websocket.send(encode(Hello()))
        receive_as(websocket, Welcome)
        monkeypatch.setattr(time, "time", lambda: now + 40)
        refused(running, 401, **pages[1])
        running.sweep()
        assert websocket.ping().wait(PATIENCE_S)


@pytest.mark.parametrize("size", [1, 16, 31])
def test_a_short_secret_of_tokens_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "keys.toml"
    path.write_text("")
    with pytest.raises(UsageError) as error:
        Auth(KeyFile(path), secret=bytes(size))
    assert str(error.value) == (
        f"the secret of tokens has {size} bytes. "
        "Use at least 32 random bytes, as in openssl rand -hex 32."
    )


@pytest.mark.parametrize("path", ["/v1/tokens", "/v1/tickets"])
def test_credentials_are_issued_for_keys_with_the_scope_and_not_cached(
    application: Callable[..., Application], path: str
) -> None:
    allowed, other = application(("token",)), application(("detect",))
    answer = request(allowed.app, "POST", path)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.body == "no valid key, token or ticket"
    answer = request(other.app, "POST", path, key=other.key)
    assert (answer.status, answer.body) == (403, "not allowed")
    allowed = application(("token",))
    answer = request(allowed.app, "POST", path, key=allowed.key)
    assert (answer.status, answer.headers["cache-control"]) == (201, "no-store")


def test_a_server_of_a_cluster_issues_no_tickets(application: Callable[..., Application]) -> None:
    made = application(("token",), tickets=False)
    answer = request(made.app, "POST", "/v1/tickets", key=made.key)
    assert (answer.status, answer.body) == (501, "this server issues no tickets")
    assert request(made.app, "POST", "/v1/tokens", key=made.key).status == 201
