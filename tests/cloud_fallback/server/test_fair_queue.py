"""Turns of keys by the work their frames cost, bounds of what waits, and frames that leave."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallylens.cloud_fallback.server.fair_queue import FairQueue, QueueLimits
from tallylens.cloud_fallback.server.job import Job

NO_LIMITS = QueueLimits(10**6, 10**9, 10**6, 10**9)


def job(
    key: str, session: str = "", *, expires: float = 1e9, at: float = 0.0, size: int = 1
) -> Job:
    owner = (key, session)
    return Job(owner, expires, lambda: None, lambda _: None, at, key=key, size=size)


def served(queue: FairQueue, seconds: float, cost: dict[str, float]) -> Counter[str]:
    """How many frames of each key one detector takes in some seconds; each is replaced at once."""
    number: Counter[str] = Counter()
    spent = 0.0
    while spent < seconds:
        (one,), _ = queue.take(1, spent)
        key = str(one.key)
        spent += cost[key]
        queue.finished(one, 0.0, cost[key])
        session = one.owner[1]  # type: ignore[index]
        assert not queue.add(job(key, session, at=spent))
        number[key] += 1
    return number


@pytest.mark.parametrize("sessions", [1, 10, 99])
def test_a_key_with_many_sessions_gets_no_more_than_one_with_one(sessions: int) -> None:
    queue = FairQueue(NO_LIMITS, share=1)
    for session in range(sessions):
        for _ in range(8):
            queue.add(job("many", str(session)))
    for _ in range(8):
        queue.add(job("victim"))
    number = served(queue, 10.0, {"many": 0.01, "victim": 0.01})
    assert abs(number["many"] - number["victim"]) <= 2


def test_a_key_whose_frames_cost_ten_times_as_much_gets_a_tenth_as_many() -> None:
    queue = FairQueue(NO_LIMITS, share=1)
    for _ in range(8):
        queue.add(job("heavy"))
        queue.add(job("light"))
    number = served(queue, 22.0, {"heavy": 0.1, "light": 0.01})
    assert number["heavy"] == pytest.approx(110, abs=3)
    assert number["light"] == pytest.approx(1100, abs=20)


def test_a_key_saves_no_turns_while_it_is_away() -> None:
    queue = FairQueue(NO_LIMITS, share=1)
    for _ in range(8):
        queue.add(job("there"))
    served(queue, 10.0, {"there": 0.01})
    for _ in range(8):
        queue.add(job("back"))
    number = served(queue, 1.0, {"there": 0.01, "back": 0.01})
    assert abs(number["there"] - number["back"]) <= 2


def test_sessions_of_a_key_take_turns() -> None:
    queue = FairQueue(NO_LIMITS, share=100)
    for session in "aaabc":
        queue.add(job("key", session))
    batch, _ = queue.take(5, 0.0)
    assert [one.owner[1] for one in batch] == list("abcaa")  # type: ignore[index]


def test_no_key_has_more_than_its_share_of_the_detectors_while_there_are_several() -> None:
    queue = FairQueue(NO_LIMITS, share=2)
    for _ in range(9):
        queue.add(job("greedy"))
    queue.add(job("other"))
    batch, _ = queue.take(8, 0.0)
    assert Counter(one.key for one in batch) == {"greedy": 2, "other": 1}
    assert queue.take(8, 0.0) == ([], [])
    queue.finished(batch[0], 0.0, 0.01)
    assert len(queue.take(8, 0.0)[0]) == 1


def test_a_key_cannot_fill_the_queue_with_frames_or_bytes() -> None:
    queue = FairQueue(QueueLimits(100, 1000, 3, 50), share=1)
    refused = [queue.add(job("a")) for _ in range(4)]
    assert [len(one) for one in refused] == [0, 0, 0, 1]
    assert [len(queue.add(job("b", size=20))) for _ in range(3)] == [0, 0, 1]
    assert len(queue) == 5


@pytest.mark.parametrize("limits", [QueueLimits(4, 1000, 9, 999), QueueLimits(99, 40, 9, 999)])
def test_a_full_queue_refuses_the_key_that_has_the_most(limits: QueueLimits) -> None:
    queue = FairQueue(limits, share=1)
    for _ in range(4):
        assert queue.add(job("many", size=10)) == []
    (over,) = queue.add(job("few", size=10))
    assert over.key == "many"
    newest = job("many", size=10)
    assert queue.add(newest) == [newest]
    assert len(queue) == 4


def test_many_short_frames_go_together_until_one_takes_long() -> None:
    queue = FairQueue(NO_LIMITS, share=1)

    def work(*seconds: float) -> int:
        for one in seconds:
            queue.add(job("key"))
            (taken,), _ = queue.take(1, 0.0)
            queue.finished(taken, one / 2, one / 2)
        return queue.together

    assert queue.together == 1
    assert work(0.0002) == 1
    assert work(*[0.0002] * 30) == 4
    assert work(*[0.00001] * 60) == 8
    assert work(0.050) == 1
    assert work(*[0.00001] * 60) == 8
    assert work(*[0.0006] * 60) == 1


def test_frames_that_are_late_cost_their_key_no_turn() -> None:
    queue = FairQueue(NO_LIMITS, share=1)
    for _ in range(3):
        queue.add(job("a", expires=1.0))
    queue.add(job("a"))
    batch, late = queue.take(1, 2.0)
    assert (len(batch), len(late), len(queue)) == (1, 3, 0)


def test_what_waits_for_a_session_is_taken_out() -> None:
    queue = FairQueue(NO_LIMITS, share=1)
    for session in "abab":
        queue.add(job("key", session))
    assert len(queue.remove(("key", "a"))) == 2
    assert queue.remove(("key", "a")) == queue.remove("nobody") == []
    assert len(queue) == 2
    assert len(queue.clear()) == 2
    assert queue.take(9, 0.0) == ([], [])


def test_the_order_of_keys_does_not_grow_with_clients_that_come_and_go() -> None:
    queue = FairQueue(NO_LIMITS, share=1)
    for number in range(5000):
        queue.add(job("key", str(number)))
        queue.remove(("key", str(number)))
    assert len(queue._order) < 100
    assert not queue._key_of


Step = tuple[str, int, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "take", "done", "go"]), st.integers(0, 2), st.integers(0, 2))
)


@settings(deadline=None, max_examples=200)
@given(STEPS)
def test_every_frame_leaves_the_queue_exactly_once(steps: list[Step]) -> None:
    queue = FairQueue(QueueLimits(6, 60, 4, 40), share=2)
    waiting: set[int] = set()
    working: list[Job] = []
    for now, (step, key, session) in enumerate(steps):
        left: list[Job] = []
        if step == "add":
            added = job(str(key), str(session), expires=now + 1 + 3 * session, at=now, size=9)
            waiting.add(id(added))
            working_before = list(working)
            left = queue.add(added)
            assert working == working_before
        elif step == "take":
            batch, late = queue.take(3, now)
            working += batch
            left = batch + late
        elif step == "go":
            left = queue.remove((str(key), str(session)))
        elif working:
            queue.finished(working.pop(), 0.1 * key, 0.1 * session)
        ids = [id(one) for one in left]
        assert set(ids) <= waiting
        assert len(set(ids)) == len(ids)
        waiting -= set(ids)
        assert len(queue) == len(waiting) <= 6
    while working:
        queue.finished(working.pop(), 0.0, 0.1)
    assert len(queue.clear()) == len(waiting)
