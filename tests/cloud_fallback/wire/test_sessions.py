"""Both ends of a session, with connections that break at any message."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallylens.cloud_fallback.wire.client_session import ClientSession
from tallylens.cloud_fallback.wire.messages import (
    Result,
    encode,
)
from tallylens.cloud_fallback.wire.server_session import Arrival, ServerSession
from tests.support.sessions import IMAGE, messages_to_send, welcome


@pytest.mark.slow
@settings(max_examples=50)
@given(st.integers(0, 2**32), st.integers(1, 6), st.booleans())
def test_whatever_is_lost_each_frame_is_done_once_and_answered(
    seed: int, credits: int, forgetful: bool
) -> None:
    """Connections break at any message; the server may lose its memory with them."""
    chance = random.Random(seed)
    client, server = ClientSession(), ServerSession(credits)
    done: list[int] = []
    answered: set[int] = set()
    offered = 0

    def connect(resumed: bool) -> None:
        client.message_received(
            welcome(credits, resumed=resumed, ack=server.highest if resumed else 0)
        )
        for answer in server.connection_made() if resumed else ():
            hear(encode(answer))

    def hear(text: str) -> None:
        _, known = client.message_received(text)
        if known is not None:
            assert known.sequence not in answered
            answered.add(known.sequence)

    connect(resumed=False)
    pending: list[int] = []
    for _ in range(100):
        turn = chance.random()
        if turn < 0.35 and client.submit(IMAGE, 0, 9.0):
            offered += 1
        elif turn < 0.6:
            for message in messages_to_send(client, 0.0):
                if chance.random() < 0.2:  # it never arrives: the connection broke before
                    client.connection_lost()
                    connect(resumed=True)
                    break
                arrival = server.frame_received(message)
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
                client.connection_lost()
                connect(resumed=True)
        else:
            client.connection_lost()
            if forgetful and chance.random() < 0.3:
                server = ServerSession(credits)
                pending.clear()
                done.clear()
                connect(resumed=False)
            else:
                connect(resumed=True)
        assert len(done) == len(set(done)), "a frame was done twice in one session"
    client.connection_lost()
    connect(resumed=True)
    for _ in range(2 * credits + 2):
        for message in messages_to_send(client, 0.0):
            arrival = server.frame_received(message)
            if isinstance(arrival, Arrival):
                pending.append(arrival.header.sequence)
        while pending:
            hear(encode(server.answer(Result(pending.pop(), 0, 0))))
    assert answered == set(range(1, offered + 1))
