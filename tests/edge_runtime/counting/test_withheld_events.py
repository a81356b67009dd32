"""Events of wanted classes: those that the oracle chooses, also in a resumed count."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest

from tallylens import CounterOptions, Detections
from tallylens.edge_runtime.core import TrackCounter
from tallylens.edge_runtime.counting.totals import Totals
from tallylens.edge_runtime.errors import StateError
from tests.edge_runtime.counting.wanted_events_oracle import WantedEvents
from tests.support.detections import detections

STEP_NS = 100_000_000
SIZE = (640, 360)
NAMES = ("car", "bus", "van")
OPTIONS = CounterOptions(lost_s=1, remember_s=1)


def counter(*, withhold: bool) -> TrackCounter:
    made = TrackCounter(3, SIZE, options=OPTIONS)
    made.add_line((0, 180), (640, 180))
    made.add_zone(((100, 50), (400, 50), (400, 300), (100, 300)))
    made.want_classes({1})
    if withhold:
        made.withhold()
    return made


def scene(seed: int, frames: int = 250) -> list[Detections]:
    """Objects that go down, and whose class changes on the way or flickers."""
    random = np.random.default_rng(seed)
    walkers = [
        (int(random.integers(frames)), 20 + 60 * lane, random.permutation(3)[:2])
        for lane in range(10)
        for _ in range(3)
    ]
    found: list[list[tuple[float, float, float, float, float, int]]] = [[] for _ in range(frames)]
    for start, x, (first, then) in walkers:
        for age, index in enumerate(range(start, min(start + 60, frames))):
            class_id = first if age < 25 or random.random() < 0.1 else then
            y = 40 + 5 * age
            found[index].append((x, y, x + 30, y + 30, 0.9, int(class_id)))
    return [detections(*rows) for rows in found]


@pytest.mark.parametrize("seed", range(4))
def test_the_events_are_those_that_the_oracle_chooses(seed: int) -> None:
    all_events, wanted = counter(withhold=False), counter(withhold=True)
    oracle = WantedEvents({1}, 1)
    moved = 0
    for index, found in enumerate(scene(seed)):
        tracks = all_events.update(index * STEP_NS, found)
        chosen = oracle.choose(all_events.take_events())
        oracle.note(tracks, index * STEP_NS)
        wanted.update(index * STEP_NS, found)
        assert wanted.take_events() == chosen, index
        assert wanted.withheld.save() == sorted(oracle.save(), key=lambda row: row[3])
        moved += sum(event.kind == "reclassified" for event in chosen)
    assert moved > 3
    wanted.reset()
    assert wanted.withheld.save() == []


def play(totals: Totals, found: list[Detections], first: int = 0) -> list[Any]:
    events = []
    for index, one in enumerate(found, first):
        events += totals.add(index * STEP_NS, one)[1]
    return events


def test_a_resumed_count_gives_the_same_events() -> None:
    found = scene(9)
    whole, cut = (Totals(NAMES, SIZE, classes=["bus"], options=OPTIONS) for _ in range(2))
    expected, before = play(whole, found), play(cut, found[:120])
    saved = json.loads(json.dumps(cut.save()))
    assert saved["withheld"]
    saved["withheld"].reverse()  # earlier versions had another order of objects
    resumed = Totals(NAMES, SIZE, classes=["bus"], options=OPTIONS)
    resumed.restore(saved)
    assert before + play(resumed, found[120:], 120) == expected
    assert resumed.save() == whole.save()


def test_what_cannot_return_is_forgotten_once_there_is_much() -> None:
    made = counter(withhold=True)
    times = itertools.count(0, STEP_NS)
    for index in range(180):
        x = 10 + 40 * (index % 15)
        rows = [(x, 40 * row, x + 20, 40 * row + 20, 0.9, 0) for row in range(8)]
        for _ in range(4):
            made.update(next(times), detections(*rows))
    assert made.unique()[0] > 1200
    assert len({row[3] for row in made.withheld.save()}) <= 1024 + 8


GOOD = [0, "confirmed", 0, 1, 0, -1, -1, 1.0, 1.0, 0.5, 0.0, 0.0]
DAMAGED: dict[str, tuple[int, Any]] = {
    "a time of 40 digits": (0, 10**40),
    "an unknown kind": (1, "vanished"),
    "a kind that is not withheld": (1, "reclassified"),
    "no kind": (1, None),
    "no track": (3, -1),
    "another class": (4, 3),
    "a class of 40 digits": (4, 10**40),
    "a region that is not there": (6, 0),
    "a coordinate without end": (7, float("inf")),
    "no number": (8, "x"),
}


@pytest.mark.parametrize("name", sorted(DAMAGED))
def test_damaged_events_are_refused(name: str) -> None:
    made = counter(withhold=True)
    made.withheld.restore([GOOD])
    position, value = DAMAGED[name]
    with pytest.raises((StateError, ValueError, TypeError)):
        made.withheld.restore([[*GOOD[:position], value, *GOOD[position + 1 :]]])
    with pytest.raises(ValueError, match="not enough values"):
        made.withheld.restore([GOOD[:-1]])
    assert made.withheld.save() == [GOOD]
