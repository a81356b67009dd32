"""Both ends of a stream without a network between them: lost connections, repeats, credits."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallylens.cloud_fallback.wire.client_session import ClientStream, Picture
from tallylens.cloud_fallback.wire.frames import (
    MAX_JUMP,
    Flag,
    FrameHeader,
    decode_frame,
    encode_frame,
)
from tallylens.cloud_fallback.wire.messages import (
    Drain,
    Limits,
    Reject,
    Result,
    Summary,
    Welcome,
    encode,
)
from tallylens.cloud_fallback.wire.server_session import Arrival, ServerStream
from tallylens.edge_runtime.errors import ProtocolError

VECTORS = Path(__file__).resolve().parents[3] / "mobile_bindings" / "conformance" / "protocol"
LIMITS = Limits(1 << 20, 1 << 23, 100, 1000)
PICTURE = Picture(b"picture", 4, 2)


def frame(sequence: int) -> bytes:
    return encode_frame(FrameHeader(sequence, sequence, 100, 4, 2), b"picture")


def welcome(credits: int = 4, *, resumed: bool = False, ack: int = 0, session: str = "s") -> str:
    made = Welcome(session, "r", resumed, ack, credits, LIMITS, "m", (64, 64), ("a",), (8,))
    return encode(made)


def connected(credits: int = 4) -> ClientStream:
    stream = ClientStream()
    stream.receive(welcome(credits))
    return stream


def test_a_server_answers_each_frame_once_and_repeats_it_from_memory() -> None:
    stream = ServerStream(credits=4)
    assert isinstance(stream.receive(frame(1)), Arrival)
    assert stream.receive(frame(1)) is None, "it is being worked on"
    given = stream.answer(Result(1, 0, 0, queue_ms=3.0))
    assert stream.receive(frame(1)) == given
    assert (stream.frames, stream.answered) == (1, 1)


def test_acknowledgements_are_cumulative() -> None:
    stream = ServerStream(credits=4)
    for sequence in (1, 2, 3):
        stream.receive(frame(sequence))
    assert stream.answer(Result(2, 0, 0)).ack == 0
    assert stream.reject(1, "late").ack == 2
    assert stream.answer(Result(3, 0, 0)).ack == 3
    assert stream.summary() == Summary(3, 2, {"late": 1})


def test_more_frames_than_credits_are_refused_one_by_one() -> None:
    stream = ServerStream(credits=2)
    assert isinstance(stream.receive(frame(1)), Arrival)
    assert isinstance(stream.receive(frame(2)), Arrival)
    assert stream.receive(frame(3)) == Reject(3, 0, 2, "no_credit")
    assert stream.pending == 2


def test_a_frame_beyond_memory_is_refused_not_done_again() -> None:
    stream = ServerStream(credits=1)
    for sequence in (1, 2, 3):
        stream.receive(frame(sequence))
        stream.answer(Result(sequence, 0, 0))
    assert stream.receive(frame(1)) == Reject(1, 3, 1, "forgotten")
    assert stream.frames == 3
    assert [one.sequence for one in stream.repeat()] == [2, 3]


def test_sequence_numbers_may_begin_anywhere_and_skip_but_not_leap() -> None:
    stream = ServerStream(credits=4)
    assert isinstance(stream.receive(frame(4_000_000_000)), Arrival)
    assert isinstance(stream.receive(frame(4_000_000_009)), Arrival)
    with pytest.raises(ProtocolError, match="frame 4000065546 follows frame 4000000009"):
        stream.receive(frame(4_000_000_010 + MAX_JUMP))
    assert stream.frames == 2


def test_a_client_says_hello_with_the_session_it_had() -> None:
    stream = ClientStream()
    assert (stream.hello().session, stream.credits_left, stream.connected) == ("", 0, False)
    stream.receive(welcome())
    stream.disconnected()
    assert (stream.hello().session, stream.hello().resume) == ("s", "r")


def test_credits_limit_the_frames_without_an_answer() -> None:
    stream = connected(credits=2)
    assert [bool(stream.offer(PICTURE, 0, 9.0)) for _ in range(3)] == [True, True, False]
    assert len(sent(stream, 0.0)) == 2
    stream.receive(encode(Result(1, 1, 3)))
    assert stream.credits_left == 2


def test_frames_larger_than_the_limit_are_not_taken() -> None:
    stream = connected()
    assert stream.offer(Picture(bytes(1 + (1 << 20)), 4, 2), 0, 9.0) is None


def test_a_frame_is_dropped_at_its_deadline_but_keeps_its_credit_once_sent() -> None:
    stream = connected(credits=2)
    stream.offer(PICTURE, 0, 1.0)
    assert stream.next_message(0.5)
    stream.offer(PICTURE, 0, 1.5)
    assert [one.sequence for one in stream.expire(2.0)] == [1, 2]
    assert stream.expire(3.0) == []
    assert stream.credits_left == 1, "the server may still answer the first"
    assert stream.next_message(2.0) is None
    _, late = stream.receive(encode(Result(1, 1, 2)))
    assert late is not None
    assert (late.sequence, late.expired) == (1, True)
    assert stream.credits_left == 2


def test_a_cancelled_frame_is_not_sent() -> None:
    stream = connected()
    offered = stream.offer(PICTURE, 0, 9.0)
    assert offered is not None
    stream.cancel(offered)
    stream.cancel(offered)
    assert stream.next_message(0.0) is None


def test_the_header_tells_what_time_is_left() -> None:
    stream = connected()
    stream.offer(PICTURE, 77, 2.0)
    following = stream.next_message(1.75)
    assert following is not None
    header, picture = decode_frame(following[1])
    assert header == FrameHeader(1, 77, 250, 4, 2)
    assert picture == PICTURE.data


def test_only_what_the_server_lacks_is_sent_again() -> None:
    stream = connected()
    for _ in range(4):
        stream.offer(PICTURE, 0, 9.0)
    for _ in range(3):
        stream.next_message(0.0)
    stream.expire(0.0)
    stream.disconnected()
    assert stream.next_message(1.0) is None
    stream.receive(welcome(resumed=True, ack=2))
    again = [decode_frame(message)[0] for message in sent(stream, 1.0)]
    assert [(one.sequence, one.flags) for one in again] == [(3, Flag.REPEATED), (4, Flag.NONE)]


def test_a_new_session_gets_everything_that_is_still_wanted() -> None:
    stream = connected()
    for expires in (1.0, 9.0):
        stream.offer(PICTURE, 0, expires)
        stream.next_message(0.0)
    stream.expire(2.0)
    stream.disconnected()
    stream.receive(welcome(session="other"))
    again = [decode_frame(message)[0] for message in sent(stream, 2.0)]
    assert [(one.sequence, one.flags) for one in again] == [(2, Flag.REPEATED)]
    assert stream.credits_left == 3


def test_an_expired_frame_that_never_arrived_is_forgotten_on_resume() -> None:
    stream = connected(credits=1)
    stream.offer(PICTURE, 0, 1.0)
    stream.next_message(0.0)
    stream.expire(2.0)
    stream.disconnected()
    stream.receive(welcome(credits=1, resumed=True, ack=0))
    assert stream.credits_left == 1


def sent(stream: ClientStream, now: float) -> list[bytes]:
    messages = []
    while (following := stream.next_message(now)) is not None:
        messages.append(following[1])
    return messages


def test_a_draining_server_gets_nothing_new() -> None:
    stream = connected()
    stream.receive(encode(Drain(1.0)))
    assert stream.credits_left == 0
    assert stream.receive(encode(Summary(0, 0)))[0] == Summary(0, 0)


def test_answers_before_a_welcome_are_refused() -> None:
    with pytest.raises(ProtocolError, match="spoke before its welcome"):
        ClientStream().receive(encode(Result(1, 1, 1)))


@pytest.mark.slow
@settings(max_examples=50)
@given(st.integers(0, 2**32), st.integers(1, 6), st.booleans())
def test_whatever_is_lost_each_frame_is_done_once_and_answered(
    seed: int, credits: int, forgetful: bool
) -> None:
    """Connections break at any message; the server may lose its memory with them."""
    chance = random.Random(seed)
    client, server = ClientStream(), ServerStream(credits)
    done: list[int] = []
    answered: set[int] = set()
    offered = 0

    def connect(resumed: bool) -> None:
        client.receive(welcome(credits, resumed=resumed, ack=server.highest if resumed else 0))
        for answer in server.repeat() if resumed else ():
            hear(encode(answer))

    def hear(text: str) -> None:
        _, known = client.receive(text)
        if known is not None:
            assert known.sequence not in answered
            answered.add(known.sequence)

    connect(resumed=False)
    pending: list[int] = []
    for _ in range(100):
        turn = chance.random()
        if turn < 0.35 and client.offer(PICTURE, 0, 9.0):
            offered += 1
        elif turn < 0.6:
            for message in sent(client, 0.0):
                if chance.random() < 0.2:  # it never arrives: the connection broke before
                    client.disconnected()
                    connect(resumed=True)
                    break
                arrival = server.receive(message)
                if isinstance(arrival, Arrival):
                    pending.append(arrival.header.sequence)
                elif arrival is not None:
                    hear(encode(arrival))
        elif turn < 0.85 and pending:
            sequence = pending.pop(chance.randrange(len(pending)))
            done.append(sequence)
            text = encode(server.answer(Result(sequence, 0, 0)))
            if chance.random() < 0.8:
                hear(text)
            else:
                client.disconnected()
                connect(resumed=True)
        else:
            client.disconnected()
            if forgetful and chance.random() < 0.3:
                server = ServerStream(credits)
                pending.clear()
                done.clear()
                connect(resumed=False)
            else:
                connect(resumed=True)
        assert len(done) == len(set(done)), "a frame was done twice in one session"
    client.disconnected()
    connect(resumed=True)
    for _ in range(2 * credits + 2):
        for message in sent(client, 0.0):
            arrival = server.receive(message)
            if isinstance(arrival, Arrival):
                pending.append(arrival.header.sequence)
        while pending:
            hear(encode(server.answer(Result(pending.pop(), 0, 0))))
    assert answered == set(range(1, offered + 1))


def test_conformance_of_a_session() -> None:
    """The conversation that every binding must have."""
    stream = ClientStream()
    messages: list[bytes] = []
    steps: list[dict[str, Any]] = json.loads((VECTORS / "session.json").read_text())["vectors"]
    for step in steps:
        now = step["at"]
        if step.get("connection") == "lost":
            stream.disconnected()
        elif step.get("connection") == "open":
            assert json.loads(encode(stream.hello())) == step["says"]
        elif "receives" in step:
            stream.receive(json.dumps(step["receives"]))
            messages = sent(stream, now)
        elif "offers" in step:
            picture = Picture(bytes.fromhex(step["offers"]), step["width"], step["height"])
            taken = stream.offer(picture, int(now * 1e6), now + step["seconds"])
            assert (taken.sequence if taken else None) == step["sequence"]
            messages = sent(stream, now)
        else:
            assert messages.pop(0).hex() == step["sends"]
    assert not messages
