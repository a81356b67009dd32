"""Sessions that another process resumes: nothing is lost, nothing is counted twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens.cloud_fallback.cluster import session_store as store_module
from tallylens.cloud_fallback.cluster.session_store import MemorySessionStore
from tallylens.cloud_fallback.server.auth import Caller
from tallylens.cloud_fallback.server.keys import Key, Plan, hash_of
from tallylens.cloud_fallback.server.sessions import Session, Sessions
from tallylens.cloud_fallback.wire.constants import RESUME_SECONDS, CloseCode
from tallylens.cloud_fallback.wire.frames import Codec, FrameHeader, encode_frame
from tallylens.cloud_fallback.wire.messages import Hello, Result
from tallylens.cloud_fallback.wire.server_session import Arrival
from tallylens.edge_runtime.counting.regions import Line
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
    frozenset({"detect", "count"}),
)
COUNT = Hello("count", regions=(Line(0.0, 0.5, 1.0, 0.5, "middle"),))
SIDE = 200


def message(sequence: int) -> bytes:
    header = FrameHeader(sequence, sequence * 100_000, 1000, SIDE, SIDE, Codec.RAW)
    return encode_frame(header, b"")


def car_at(sequence: int) -> Detections:
    """One car on its way down, 10 pixels per frame."""
    top = 10.0 * sequence
    return Detections(
        np.array([[50, top, 90, top + 30]], np.float32),
        np.array([0.9], np.float32),
        np.array([1], np.int32),
    )


def answer(session: Session, sequence: int) -> None:
    """Answer a frame as a connection does."""
    assert session.count is not None
    header = FrameHeader(sequence, sequence * 100_000, 1000, SIDE, SIDE, Codec.RAW)
    session.count.add(header, car_at(sequence))
    session.protocol.answer(Result(sequence, 0, 0))
    session.count.settle(session.protocol.ack)


def handed_over(
    store: MemorySessionStore, session: Session, token: str
) -> tuple[Sessions, Session]:
    """The session in a process that has never heard of it."""
    assert store.save(session.save())
    there = Sessions(8, NAMES)
    saved = store.claim(session.id, hash_of(token))
    assert saved is not None
    there.restore(saved)
    resumed = there.resume(replace(COUNT, session=session.id, resume=token), CALLER)
    assert resumed is not None
    return there, resumed


@pytest.mark.slow
@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.integers(0, 2**32))
def test_wherever_a_process_dies_every_frame_is_counted_once(moves: list[int], seed: int) -> None:
    """`moves` answers of up to six frames under way, then death; in any order, many times."""
    chance = np.random.default_rng(seed)
    store = MemorySessionStore()
    session, token = Sessions(8, NAMES).open(COUNT, CALLER)
    answered: set[int] = set()
    for move in moves:
        sent = [n for n in range(1, 16) if n not in answered][:6]
        for sequence in sent:
            assert isinstance(session.protocol.frame_received(message(sequence)), Arrival)
        for sequence in chance.permutation(sent)[:move].tolist():
            answer(session, sequence)
            answered.add(sequence)
        _, session = handed_over(store, session, token)
        assert session.protocol.arrived < min(set(range(1, 17)) - answered)
        for sequence in answered:
            # Memory is as long as what a client may lack.
            if sequence > session.protocol.arrived:
                assert isinstance(session.protocol.frame_received(message(sequence)), Result)
    for sequence in [n for n in range(1, 16) if n not in answered]:
        session.protocol.frame_received(message(sequence))
        answer(session, sequence)
    assert (session.protocol.frames, session.protocol.answered) == (15, 15)
    assert session.count is not None
    report = session.count.report()
    assert report["unique"] == {"car": 1}
    assert report["lines"] == [
        {
            "name": "middle",
            "in": {"car": 1},
            "out": {},
            "directions": {"in": "in", "out": "out"},
        }
    ]


def test_a_frame_that_its_client_gave_up_holds_nothing_back() -> None:
    store = MemorySessionStore()
    session, token = Sessions(8, NAMES).open(COUNT, CALLER)
    for sequence in (1, 2, 3):
        session.protocol.frame_received(message(sequence))
    answer(session, 2)
    _, session = handed_over(store, session, token)
    assert (session.protocol.arrived, session.protocol.ack) == (0, 0)
    session.protocol.frame_received(message(3))
    answer(session, 3)
    assert (session.protocol.arrived, session.protocol.ack) == (3, 3)
    assert session.protocol.frame_received(message(1)).reason == "forgotten"  # type: ignore[union-attr]


def test_who_had_a_session_may_not_keep_it() -> None:
    store = MemorySessionStore()
    session, token = Sessions(8, NAMES).open(COUNT, CALLER)
    _, there = handed_over(store, session, token)
    assert store.save(there.save())
    assert not store.save(session.save())
    assert store.save(there.save())


def test_a_session_is_for_who_holds_its_token() -> None:
    store = MemorySessionStore()
    session, token = Sessions(8, NAMES).open(COUNT, CALLER)
    store.save(session.save())
    assert store.claim(session.id, hash_of("another")) is None
    assert store.claim("another", hash_of(token)) is None
    assert store.save(session.save()), "a refused claim changes nothing"


def test_the_store_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr(store_module, "MAX_SESSIONS", 2)
    store, sessions = MemorySessionStore(), Sessions(8, NAMES)
    opened = [sessions.open(COUNT, CALLER) for _ in range(3)]
    for session, _ in opened:
        store.save(session.save())
    assert [claims(store, *one) for one in opened] == [False, True, True]
    now[0] = RESUME_SECONDS + 1.0
    assert not any(claims(store, *one) for one in opened)


def claims(store: MemorySessionStore, session: Session, token: str) -> bool:
    return store.claim(session.id, hash_of(token)) is not None


def test_a_session_that_is_taken_closes_where_it_was() -> None:
    class Peer:
        caller = CALLER
        codes: tuple[int, ...] = ()

        def send(self, message: Any) -> None:
            raise AssertionError("nothing is to be sent")

        def close(self, code: int, reason: str) -> None:
            self.codes += (code,)

    store, here = MemorySessionStore(), Sessions(8, NAMES)
    session, token = here.open(COUNT, CALLER)
    peer = Peer()
    session.connect(peer)
    store.save(session.save())
    saved = store.claim(session.id, hash_of(token))
    assert saved is not None
    here.restore(saved)
    assert peer.codes == (CloseCode.DUPLICATE_SESSION,)
    assert len(here) == 1
