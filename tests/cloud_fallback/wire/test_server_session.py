"""The server's end of a session: answers, credits, memory and states."""

from __future__ import annotations

import pytest

from tallylens.cloud_fallback.wire.constants import MAX_JUMP
from tallylens.cloud_fallback.wire.messages import (
    Reject,
    Result,
    Summary,
)
from tallylens.cloud_fallback.wire.server_session import Arrival, ServerSession, State
from tallylens.edge_runtime.errors import ProtocolError
from tests.support.sessions import frame


def test_a_server_answers_each_frame_once_and_repeats_it_from_memory() -> None:
    session = ServerSession(credits=4)
    assert isinstance(session.frame_received(frame(1)), Arrival)
    assert session.frame_received(frame(1)) is None, "it is being worked on"
    given = session.answer(Result(1, 0, 0, queue_ms=3.0))
    assert session.frame_received(frame(1)) == given
    assert (session.frames, session.answered) == (1, 1)


def test_acknowledgements_are_cumulative() -> None:
    session = ServerSession(credits=4)
    for sequence in (1, 2, 3):
        session.frame_received(frame(sequence))
    assert session.answer(Result(2, 0, 0)).ack == 0
    assert session.reject(1, "late").ack == 2
    assert session.answer(Result(3, 0, 0)).ack == 3
    assert session.summary() == Summary(3, 2, {"late": 1})


def test_more_frames_than_credits_are_refused_one_by_one() -> None:
    session = ServerSession(credits=2)
    assert isinstance(session.frame_received(frame(1)), Arrival)
    assert isinstance(session.frame_received(frame(2)), Arrival)
    assert session.frame_received(frame(3)) == Reject(3, 0, 2, "no_credit")
    assert session.pending == 2


def test_a_frame_beyond_memory_is_refused_not_done_again() -> None:
    session = ServerSession(credits=1)
    for sequence in (1, 2, 3):
        session.frame_received(frame(sequence))
        session.answer(Result(sequence, 0, 0))
    assert session.frame_received(frame(1)) == Reject(1, 3, 1, "forgotten")
    assert session.frames == 3
    assert [one.sequence for one in session.connection_made()] == [2, 3]


def test_sequence_numbers_may_begin_anywhere_and_skip_but_not_leap() -> None:
    session = ServerSession(credits=4)
    assert isinstance(session.frame_received(frame(4_000_000_000)), Arrival)
    assert isinstance(session.frame_received(frame(4_000_000_009)), Arrival)
    with pytest.raises(ProtocolError, match="frame 4000065546 follows frame 4000000009"):
        session.frame_received(frame(4_000_000_010 + MAX_JUMP))
    assert session.frames == 2


def test_a_session_waits_between_connections_until_it_ends() -> None:
    session = ServerSession(credits=4)
    states = [session.state]
    assert session.connection_made() == []
    states.append(session.state)
    session.frame_received(frame(1))
    session.answer(Result(1, 0, 0))
    session.connection_lost()
    states.append(session.state)
    assert [one.sequence for one in session.connection_made()] == [1]
    session.end()
    session.connection_lost()
    states.append(session.state)
    assert states == [State.WAITING, State.OPEN, State.WAITING, State.ENDED]
    with pytest.raises(ProtocolError, match="after the end of the session"):
        session.frame_received(frame(2))


def test_a_frame_that_was_dropped_comes_again_and_is_counted_once() -> None:
    """Also where capture times must rise: one that comes again is older than the newest."""
    session = ServerSession(credits=4, ordered=True)
    for sequence in (1, 2, 3, 4):
        session.frame_received(frame(sequence))
    session.answer(Result(4, 0, 0))
    session.connection_lost()
    for sequence in (1, 2, 3):
        session.lose(sequence)
    assert [one.sequence for one in session.connection_made()] == [4]
    assert (session.pending, session.arrived, session.ack) == (0, 0, 0)
    for sequence in (1, 2):
        assert isinstance(session.frame_received(frame(sequence)), Arrival)
    again = session.frame_received(frame(4))
    assert isinstance(again, Result)
    assert isinstance(session.frame_received(frame(5)), Arrival)
    for sequence in (1, 2, 5):
        session.answer(Result(sequence, 0, 0))
    assert session.summary() == Summary(4, 4), "frame 3 was given up"
    with pytest.raises(ProtocolError, match="do not rise"):
        session.frame_received(frame(6, capture_us=1))


def test_capture_times_of_frames_that_come_again_rise_too() -> None:
    session = ServerSession(credits=4, ordered=True)
    for sequence in (1, 2, 3):
        session.frame_received(frame(sequence))
    for sequence in (2, 3):
        session.lose(sequence, capture_us=1)
    assert isinstance(session.frame_received(frame(2, capture_us=3)), Arrival)
    with pytest.raises(ProtocolError, match="do not rise"):
        session.frame_received(frame(3, capture_us=3))
