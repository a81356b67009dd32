"""Sessions that another process goes on with: nothing is lost, nothing is counted twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens.cloud_fallback.server import memory_session_store as store_module
from tallylens.cloud_fallback.server.auth import Caller
from tallylens.cloud_fallback.server.keys import Key, Plan, hash_of
from tallylens.cloud_fallback.server.memory_session_store import MemorySessionStore
from tallylens.cloud_fallback.server.sessions import Session, Sessions
from tallylens.cloud_fallback.wire.frames import (
    RESUME_SECONDS,
    CloseCode,
    Codec,
    FrameHeader,
    encode_frame,
)
from tallylens.cloud_fallback.wire.messages import Hello, Place, Result
from tallylens.cloud_fallback.wire.server_session import Arrival
from tallylens.edge_runtime.types import Detections

NAMES = ("person", "car")
CALLER = Caller(
    Key(
        "tester",
        "0" * 64,
        frozenset({"detect", "count"}),
        datetime.now(UTC) + timedelta(days=1),
        Plan(),
    ),
    2e9,
)
COUNT = Hello("count", places=(Place("line", ((0.0, 0.5), (1.0, 0.5)), "middle"),))
SIDE = 200


def message(sequence: int) -> bytes:
    header = FrameHeader(sequence, sequence * 100_000, 1000, SIDE, SIDE, Codec.RAW)
    return encode_frame(header, b"")


def car_at(sequence: int) -> Detections:
    """One car on its way down, 10 pixels a frame."""
    top = 10.0 * sequence
    return Detections(
        np.array([[50, top, 90, top + 30]], np.float32),
        np.array([0.9], np.float32),
        np.array([1], np.int32),
    )


def answer(session: Session, sequence: int) -> None:
    """What a connection does with what a detector found."""
    assert session.count is not None
    header = FrameHeader(sequence, sequence * 100_000, 1000, SIDE, SIDE, Codec.RAW)
    session.count.add(header, car_at(sequence))
    session.stream.answer(Result(sequence, 0, 0))
    session.count.settle(session.stream.ack)


def handed_over(
    shelf: MemorySessionStore, session: Session, token: str
) -> tuple[Sessions, Session]:
    """The session in a process that has never heard of it."""
    assert shelf.keep(session.save())
    there = Sessions(8, NAMES)
    saved = shelf.take(session.id, hash_of(token))
    assert saved is not None
    there.adopt(saved)
    resumed = there.resume(replace(COUNT, session=session.id, resume=token), CALLER)
    assert resumed is not None
    return there, resumed


@pytest.mark.slow
@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.integers(0, 2**32))
def test_wherever_a_process_dies_every_frame_is_counted_once(moves: list[int], seed: int) -> None:
    """`moves` answers of up to six frames under way, then death; in any order, many times."""
    chance = np.random.default_rng(seed)
    shelf = MemorySessionStore()
    session, token = Sessions(8, NAMES).open(COUNT, CALLER)
    answered: set[int] = set()
    for move in moves:
        sent = [n for n in range(1, 16) if n not in answered][:6]
        for sequence in sent:
            assert isinstance(session.stream.receive(message(sequence)), Arrival)
        for sequence in chance.permutation(sent)[:move].tolist():
            answer(session, sequence)
            answered.add(sequence)
        _, session = handed_over(shelf, session, token)
        assert session.stream.arrived < min(set(range(1, 17)) - answered)
        for sequence in answered:
            # Memory is as long as what a client may lack.
            if sequence > session.stream.arrived:
                assert isinstance(session.stream.receive(message(sequence)), Result)
    for sequence in [n for n in range(1, 16) if n not in answered]:
        session.stream.receive(message(sequence))
        answer(session, sequence)
    assert (session.stream.frames, session.stream.answered) == (15, 15)
    assert session.count is not None
    report = session.count.report()
    assert report["unique"] == {"car": 1}
    assert report["lines"] == [{"name": "middle", "in": {"car": 1}, "out": {}}]


def test_a_frame_that_its_client_gave_up_holds_nothing_back() -> None:
    shelf = MemorySessionStore()
    session, token = Sessions(8, NAMES).open(COUNT, CALLER)
    for sequence in (1, 2, 3):
        session.stream.receive(message(sequence))
    answer(session, 2)
    _, session = handed_over(shelf, session, token)
    assert (session.stream.arrived, session.stream.ack) == (0, 0)
    session.stream.receive(message(3))
    answer(session, 3)
    assert (session.stream.arrived, session.stream.ack) == (3, 3)
    assert session.stream.receive(message(1)).reason == "forgotten"  # type: ignore[union-attr]


def test_who_had_a_session_may_not_keep_it() -> None:
    shelf = MemorySessionStore()
    session, token = Sessions(8, NAMES).open(COUNT, CALLER)
    _, there = handed_over(shelf, session, token)
    assert shelf.keep(there.save())
    assert not shelf.keep(session.save())
    assert shelf.keep(there.save())


def test_a_session_is_for_who_holds_its_token() -> None:
    shelf = MemorySessionStore()
    session, token = Sessions(8, NAMES).open(COUNT, CALLER)
    shelf.keep(session.save())
    assert shelf.take(session.id, hash_of("another")) is None
    assert shelf.take("another", hash_of(token)) is None
    assert shelf.keep(session.save()), "who asked in vain has changed nothing"


def test_the_shelf_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(store_module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(store_module, "MAX_SESSIONS", 2)
    shelf, sessions = MemorySessionStore(), Sessions(8, NAMES)
    opened = [sessions.open(COUNT, CALLER) for _ in range(3)]
    for session, _ in opened:
        shelf.keep(session.save())
    assert [takes(shelf, *one) for one in opened] == [False, True, True]
    now[0] = RESUME_SECONDS + 1.0
    assert not any(takes(shelf, *one) for one in opened)


def takes(shelf: MemorySessionStore, session: Session, token: str) -> bool:
    return shelf.take(session.id, hash_of(token)) is not None


def test_a_session_that_is_taken_closes_where_it_was() -> None:
    class SessionPeer:
        codes: tuple[int, ...] = ()

        def send(self, answer: Any) -> None:
            raise AssertionError("nothing is to be sent")

        def close(self, code: int, reason: str) -> None:
            self.codes += (code,)

    shelf, here = MemorySessionStore(), Sessions(8, NAMES)
    session, token = here.open(COUNT, CALLER)
    session.outlet = outlet = SessionPeer()
    shelf.keep(session.save())
    saved = shelf.take(session.id, hash_of(token))
    assert saved is not None
    here.adopt(saved)
    assert outlet.codes == (CloseCode.DUPLICATE_SESSION,)
    assert len(here) == 1
