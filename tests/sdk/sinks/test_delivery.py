"""Delivery sinks with a transport in memory that can fail."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tallylens import UsageError
from tallylens.edge_runtime.counting.saved_count import SavedCount
from tallylens.edge_runtime.counting.state_file import StateFile
from tallylens.sinks import open_sink, open_sinks
from tallylens.sinks.delivery import DeliverySink
from tallylens.sinks.spool import Spool
from tallylens.sinks.transport import DeliveryError, Message, RefusedError
from tests.support.crossings import FRAMES_PER_CAR, count, push, session


class Receiver:
    """A transport that keeps what it is sent."""

    name, key, batch = "memory://", "memory", 3

    def __init__(self, problem: str = "") -> None:
        self.problem = problem
        self.refuses: set[str] = set()
        self.messages: dict[str, Message] = {}
        self.totals: Mapping[str, Any] = {}
        self.started: tuple[str, int] | None = None
        self.failed = threading.Event()
        self.closed = False

    def _try(self) -> None:
        if self.problem:
            self.failed.set()
            raise DeliveryError(self.problem)

    def start(self, count: str, sequence: int) -> None:
        self._try()
        self.started = (count, sequence)

    def send(self, messages: Sequence[Message]) -> None:
        self._try()
        if any(str(message.body["event"]) in self.refuses for message in messages):
            raise RefusedError("status 400")
        self.messages.update({message.id: message for message in messages})

    def show(self, totals: Mapping[str, Any]) -> None:
        self._try()
        self.totals = totals

    def close(self) -> None:
        self.closed = True

    def kinds(self) -> list[str]:
        return [str(message.body["event"]) for message in self.messages.values()]


def test_every_event_and_the_last_totals_are_delivered() -> None:
    receiver = Receiver()
    report = count(3, [DeliverySink(receiver)])
    assert report.warnings == ()
    assert receiver.kinds().count("crossed_in") == 3
    assert receiver.kinds().count("confirmed") == report.unique["car"] == 3
    assert [message.sequence for message in receiver.messages.values()] == list(
        range(len(receiver.messages))
    )
    assert receiver.totals["lines"][0]["in"] == {"car": 3}
    assert receiver.closed


def test_a_receiver_that_is_away_changes_no_count_and_is_reported() -> None:
    notices: list[str] = []
    receiver = Receiver("connection refused")
    sink = DeliverySink(receiver, finish_s=0.05, on_notice=notices.append)
    report = count(3, [sink])
    assert report.lines[0].crossed_in == {"car": 3}
    assert report.warnings == (
        "memory://: 12 events were not delivered (connection refused); keep such events for the "
        "next count with --spool DIR",
    )
    assert notices == ["memory://: connection refused; events wait and are sent later"]


def test_a_receiver_that_returns_gets_everything() -> None:
    notices: list[str] = []
    receiver = Receiver("connection refused")
    with session(2, [DeliverySink(receiver, on_notice=notices.append)]) as counting:
        push(counting, 0, FRAMES_PER_CAR)
        assert receiver.failed.wait(10)
        receiver.problem = ""
        push(counting, FRAMES_PER_CAR, 2 * FRAMES_PER_CAR)
        counting.conclude()
    assert counting.report().warnings == ()
    assert receiver.kinds().count("crossed_in") == 2
    assert notices[-1] == "memory://: delivery resumed"


def test_a_full_queue_drops_the_oldest_and_says_so() -> None:
    receiver = Receiver("away")
    with session(3, [DeliverySink(receiver, limit=5)]) as counting:
        push(counting, 0, 3 * FRAMES_PER_CAR)
        receiver.problem = ""
        counting.conclude()
    (warning,) = counting.report().warnings
    assert warning == "memory://: 7 events were dropped, because 5 others waited"
    assert [message.sequence for message in receiver.messages.values()] == [7, 8, 9, 10, 11]


def test_what_is_refused_does_not_stop_the_others() -> None:
    receiver = Receiver()
    receiver.batch = 1
    receiver.refuses = {"entered"}
    report = count(2, [DeliverySink(receiver)])
    assert report.warnings == ("memory://: 2 events were refused (status 400)",)
    assert receiver.kinds().count("crossed_in") == 2


def test_the_spool_carries_events_to_the_next_count(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    away = Receiver("away")
    first = DeliverySink(away, spool=Spool(spool, "memory", 100), finish_s=0.01)
    report = count(2, [first])
    assert report.warnings == (
        f"memory://: 8 events were not delivered (away); they are kept in "
        f"{spool / 'memory.jsonl'} for the next count",
    )
    receiver = Receiver()
    count(1, [DeliverySink(receiver, spool=Spool(spool, "memory", 100))])
    assert receiver.kinds().count("crossed_in") == 3
    assert not (spool / "memory.jsonl").exists()


def test_a_count_that_is_killed_and_resumed_sends_each_event_under_one_id(tmp_path: Path) -> None:
    """The last save holds car 1; car 2 was sent, but is counted once more."""
    state, away, receiver = tmp_path / "state", Receiver("away"), Receiver()

    def sink(to: Receiver) -> DeliverySink:
        return DeliverySink(to, spool=Spool(tmp_path / "spool", "memory", 100))

    killed = session(2, [sink(away)], saved=SavedCount(StateFile(state), 1e6))
    push(killed, 0, FRAMES_PER_CAR)
    killed.counter.save()
    kept = (tmp_path / "spool" / "memory.jsonl").read_bytes()
    push(killed, FRAMES_PER_CAR, 2 * FRAMES_PER_CAR)
    killed.close()
    # The kill came before the spool was written again, and in the middle of a line.
    (tmp_path / "spool" / "memory.jsonl").write_bytes(kept + b'{"count": "')
    with session(2, [sink(receiver)], saved=SavedCount(StateFile(state), 1e6)) as counting:
        push(counting, FRAMES_PER_CAR, 2 * FRAMES_PER_CAR)
        counting.conclude()
    assert counting.report().warnings == ()
    assert receiver.started is not None
    assert receiver.started[1] == 4
    assert receiver.kinds().count("crossed_in") == 2
    assert sorted(message.sequence for message in receiver.messages.values()) == list(range(8))


def test_a_spool_on_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Spool, "save", full)
    sink = DeliverySink(Receiver("away"), spool=Spool(tmp_path, "memory", 9), finish_s=0.01)
    (warning,) = count(1, [sink]).warnings
    assert "they could not be kept either: [Errno 28] No space left on device" in warning


@pytest.mark.parametrize(
    "url",
    ["ftp://user:hidden@host/", "sqlite://", "sqlite:///", "https://", "mqtt:///x", "counts.db",
     "mqtt://host/a+b", "https://user:hidden@host:port/", "mqtt://h/?hidden=1"],
)  # fmt: skip
def test_addresses_that_are_refused_are_not_repeated(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_sink(url)
    assert "hidden" not in str(caught.value)


def test_a_sink_is_given_once() -> None:
    with pytest.raises(UsageError, match=r"the sink https://host is given twice"):
        open_sinks(["https://host/a", "https://host/a"])
    assert len(open_sinks(["https://host/a", "https://host/b"])) == 2
