"""Keys that end, sessions that wait, and a planned restart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from websockets.exceptions import ConnectionClosed

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
