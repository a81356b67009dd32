"""Keys that end, sessions that wait, and a planned restart."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from websockets.exceptions import ConnectionClosed

from tallylens.cloud_fallback.server import auth as auth_module
from tallylens.cloud_fallback.wire.constants import CloseCode
from tallylens.cloud_fallback.wire.messages import (
    Drain,
    Hello,
    Result,
    encode,
)
from tallylens.edge_runtime.types import Image
from tests.support.running_service import (
    PATIENCE_S,
    ServiceFactory,
    close_code,
    receive,
    refused,
)
from tests.support.wire_frames import frame_message


def test_a_revoked_key_is_closed_while_connected(serve: ServiceFactory) -> None:
    running = serve()
    with running.session() as (websocket, _):
        running.keys.write_text("")
        running.sweep()
        assert close_code(websocket) == CloseCode.UNAUTHORIZED
    refused(running, 401)


def test_the_connection_of_an_expired_key_is_closed(serve: ServiceFactory) -> None:
    running = serve()
    soon = datetime.now(UTC) - timedelta(seconds=1)
    with running.session() as (websocket, _):
        text = running.keys.read_text() + f"expires = {soon.isoformat()}\n"
        running.keys.write_text(text)
        running.sweep()
        assert close_code(websocket) == CloseCode.UNAUTHORIZED


def test_a_broken_file_of_keys_changes_nothing(serve: ServiceFactory) -> None:
    running = serve()
    running.keys.write_text("[[keys")
    with running.session() as (_, welcome):
        assert welcome.session


def test_a_slip_in_the_file_of_keys_is_shown_until_it_is_mended(
    serve: ServiceFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """An edit that was to revoke a key leaves invalid TOML: the key is still valid."""
    running = serve()
    good = running.keys.read_text()
    for _ in range(2):
        running.keys.write_text(good.replace("[[keys]]", "[[keys"))
        for _ in range(3):
            running.sweep()
    assert b"tallylens_keys_stale 1.0" in running.service.metrics.text()
    assert running.get("/readyz") == (200, "ready, with old keys: the key file is invalid")
    errors = [one for one in caplog.records if one.getMessage() == "the old keys stay valid"]
    assert len(errors) == 2
    assert "not TOML" in vars(errors[0])["problem"]
    running.keys.write_text(good)
    running.sweep()
    assert b"tallylens_keys_stale 0.0" in running.service.metrics.text()
    assert running.get("/readyz") == (200, "ready")


def test_a_connection_ends_with_the_token_that_opened_it(
    serve: ServiceFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = serve()
    monkeypatch.setattr(auth_module, "TOKEN_SECONDS", 2)
    token = running.post("/v1/tokens", running.key)["token"]
    with running.session(), running.connect(key=token) as short:
        short.send(encode(Hello()))
        receive(short)
        running.sweep()
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 3)
        running.sweep()
        assert close_code(short) == CloseCode.UNAUTHORIZED
        running.wait_until(lambda: len(running.service.connections) == 1)


def test_a_connection_ends_with_the_scope_that_it_uses(serve: ServiceFactory) -> None:
    running = serve()
    with running.session(Hello("count")) as (counting, _), running.session() as (detecting, _):
        running.keys.write_text(running.keys.read_text().replace('"count", "token", ', ""))
        running.sweep()
        assert close_code(counting) == CloseCode.UNAUTHORIZED
        assert detecting.ping().wait(PATIENCE_S)


def test_a_key_keeps_no_more_sessions_waiting_than_it_may_connect(
    serve: ServiceFactory,
) -> None:
    running = serve(plan="[plans.p]\nconnections = 2\n")
    left = []
    for _ in range(4):
        with running.session() as (_, welcome):
            left.append(welcome.session)
        running.wait_until_left()
    running.sweep()
    assert [one.id for one in running.service.sessions] == left[2:]


def test_a_planned_end_is_announced_and_what_was_sent_is_answered(
    serve: ServiceFactory, image: Image
) -> None:
    running = serve()
    with running.session() as (websocket, _):
        for sequence in (1, 2, 3):
            websocket.send(frame_message(sequence, image))
        receive(websocket)
        running.stop()
        heard = [receive(websocket) for _ in range(3)]
        assert sum(isinstance(one, Drain) for one in heard) == 1
        assert {one.sequence for one in heard if isinstance(one, Result)} == {2, 3}
        assert close_code(websocket) == CloseCode.RESTART


def test_a_client_without_a_session_hears_nothing_of_a_restart_but_its_code(
    serve: ServiceFactory,
) -> None:
    """A `drain` before the welcome would be a message that the client does not expect."""
    running = serve()
    with running.connect() as silent, running.session() as (websocket, _):
        running.stop()
        assert receive(websocket) == Drain(10.0)
        assert close_code(websocket) == CloseCode.RESTART
        with pytest.raises(ConnectionClosed) as closed:
            silent.recv(timeout=PATIENCE_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == CloseCode.RESTART


def test_a_session_that_is_asked_for_during_a_restart_is_not_opened(serve: ServiceFactory) -> None:
    running = serve()
    with running.connect() as websocket:
        running.wait_until(lambda: bool(running.service.connections))
        running.service.ready = False
        websocket.send(encode(Hello()))
        assert close_code(websocket) == CloseCode.RESTART
    assert not len(running.service.sessions)
