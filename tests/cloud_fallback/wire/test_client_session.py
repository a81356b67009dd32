"""The client's end of a session: credits, deadlines, repeats and states."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tallylens.cloud_fallback.wire.client_session import ClientSession, EncodedImage, State
from tallylens.cloud_fallback.wire.frames import Flag, FrameHeader, decode_frame
from tallylens.cloud_fallback.wire.messages import (
    Drain,
    Result,
    Summary,
    encode,
)
from tallylens.edge_runtime.errors import ProtocolError
from tests.support.sessions import IMAGE, connected, messages_to_send, welcome

VECTORS = Path(__file__).resolve().parents[3] / "mobile_bindings" / "conformance" / "protocol"


def test_a_client_says_hello_with_the_session_it_had() -> None:
    session = ClientSession()
    assert (session.hello().session, session.credits_left) == ("", 0)
    session.message_received(welcome())
    session.connection_lost()
    assert (session.hello().session, session.hello().resume) == ("s", "r")


def test_credits_limit_the_frames_without_an_answer() -> None:
    session = connected(credits=2)
    assert [bool(session.submit(IMAGE, 0, 9.0)) for _ in range(3)] == [True, True, False]
    assert len(messages_to_send(session, 0.0)) == 2
    session.message_received(encode(Result(1, 1, 3)))
    assert session.credits_left == 2


def test_frames_larger_than_the_limit_are_not_taken() -> None:
    session = connected()
    assert session.submit(EncodedImage(bytes(1 + (1 << 20)), 4, 2), 0, 9.0) is None


def test_a_frame_is_dropped_at_its_deadline_but_keeps_its_credit_once_sent() -> None:
    session = connected(credits=2)
    session.submit(IMAGE, 0, 1.0)
    assert session.frame_to_send(0.5)
    session.submit(IMAGE, 0, 1.5)
    assert [one.sequence for one in session.expire(2.0)] == [1, 2]
    assert session.expire(3.0) == []
    assert session.credits_left == 1, "the server may still answer the first"
    assert session.frame_to_send(2.0) is None
    _, late = session.message_received(encode(Result(1, 1, 2)))
    assert late is not None
    assert (late.sequence, late.expired) == (1, True)
    assert session.credits_left == 2


def test_a_canceled_frame_is_not_sent() -> None:
    session = connected()
    offered = session.submit(IMAGE, 0, 9.0)
    assert offered is not None
    session.cancel(offered)
    session.cancel(offered)
    assert session.frame_to_send(0.0) is None


def test_the_header_tells_what_time_is_left() -> None:
    session = connected()
    session.submit(IMAGE, 77, 2.0)
    following = session.frame_to_send(1.75)
    assert following is not None
    header, image = decode_frame(following[1])
    assert header == FrameHeader(1, 77, 250, 4, 2)
    assert image == IMAGE.data


def test_only_what_the_server_lacks_is_sent_again() -> None:
    session = connected()
    for _ in range(4):
        session.submit(IMAGE, 0, 9.0)
    for _ in range(3):
        session.frame_to_send(0.0)
    session.expire(0.0)
    session.connection_lost()
    assert session.frame_to_send(1.0) is None
    session.message_received(welcome(resumed=True, ack=2))
    again = [decode_frame(message)[0] for message in messages_to_send(session, 1.0)]
    assert [(one.sequence, one.flags) for one in again] == [(3, Flag.REPEATED), (4, Flag.NONE)]


def test_a_new_session_gets_everything_that_is_still_wanted() -> None:
    session = connected()
    for expires in (1.0, 9.0):
        session.submit(IMAGE, 0, expires)
        session.frame_to_send(0.0)
    session.expire(2.0)
    session.connection_lost()
    session.message_received(welcome(session="other"))
    again = [decode_frame(message)[0] for message in messages_to_send(session, 2.0)]
    assert [(one.sequence, one.flags) for one in again] == [(2, Flag.REPEATED)]
    assert session.credits_left == 3


def test_an_expired_frame_that_never_arrived_is_forgotten_on_resume() -> None:
    session = connected(credits=1)
    session.submit(IMAGE, 0, 1.0)
    session.frame_to_send(0.0)
    session.expire(2.0)
    session.connection_lost()
    session.message_received(welcome(credits=1, resumed=True, ack=0))
    assert session.credits_left == 1


def test_a_draining_server_gets_nothing_new() -> None:
    session = connected()
    session.message_received(encode(Drain(1.0)))
    assert session.credits_left == 0
    assert session.message_received(encode(Summary(0, 0)))[0] == Summary(0, 0)


def test_answers_before_a_welcome_are_refused() -> None:
    with pytest.raises(ProtocolError, match="answered before its welcome"):
        ClientSession().message_received(encode(Result(1, 1, 1)))


def test_conformance_of_a_session() -> None:
    """The conversation that every binding must have."""
    session = ClientSession()
    messages: list[bytes] = []
    steps: list[dict[str, Any]] = json.loads((VECTORS / "session.json").read_text())["vectors"]
    for step in steps:
        now = step["at"]
        if step.get("connection") == "lost":
            session.connection_lost()
        elif step.get("connection") == "open":
            assert json.loads(encode(session.hello())) == step["says"]
        elif "receives" in step:
            session.message_received(json.dumps(step["receives"]))
            messages = messages_to_send(session, now)
        elif "offers" in step:
            image = EncodedImage(bytes.fromhex(step["offers"]), step["width"], step["height"])
            taken = session.submit(image, int(now * 1e6), now + step["seconds"])
            assert (taken.sequence if taken else None) == step["sequence"]
            messages = messages_to_send(session, now)
        else:
            assert messages.pop(0).hex() == step["sends"]
    assert not messages


def test_the_states_of_a_connection() -> None:
    session = ClientSession()
    states = [session.state]
    for message in (welcome(), encode(Drain(1.0))):
        session.message_received(message)
        states.append(session.state)
    session.connection_lost()
    states.append(session.state)
    assert states == [State.CONNECTING, State.OPEN, State.DRAINING, State.CONNECTING]


def test_a_server_that_drains_before_its_welcome_gets_no_frames() -> None:
    session = ClientSession()
    session.message_received(encode(Drain(1.0)))
    session.message_received(welcome())
    assert session.submit(IMAGE, 0, 9.0) is None
