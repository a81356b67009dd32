"""Objects that may be counted twice: the report gives a range, and does not hide the doubt."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from tallylens import CounterOptions, Detections
from tallylens.edge_runtime.core import TrackCounter
from tallylens.edge_runtime.counting.session import CountSession
from tallylens.edge_runtime.counting.totals import Totals
from tallylens.edge_runtime.errors import StateError
from tallylens.edge_runtime.reports.count_page import to_html
from tallylens.terminal.table import print_report
from tests.edge_runtime.core.returns_oracle import PossibleReturns as ReturnsOracle
from tests.support.detections import detections

SIZE = (640, 360)
STEP_NS = 100_000_000
Box = tuple[float, float, float, float]


def walk(start: float, stop: float, y: float = 200, width: float = 40) -> list[Box]:
    """A person of one width whose center goes from `start` to `stop` by 12 pixels per frame."""
    step = 12 if stop > start else -12
    return [
        (x - width / 2, y - 2 * width, x + width / 2, y) for x in range(int(start), int(stop), step)
    ]


def frames(boxes: Iterable[Box | None], class_id: int = 0) -> list[Detections]:
    return [
        Detections.empty() if box is None else detections((*box, 0.9, class_id)) for box in boxes
    ]


def gone(seconds: float) -> list[Box | None]:
    return [None] * round(seconds * 1e9 / STEP_NS)


def count(found: Iterable[Detections], totals: Totals | None = None, first: int = 0) -> Totals:
    totals = totals or Totals(["person", "dog"], SIZE)
    for index, one in enumerate(found, first):
        totals.add(index * STEP_NS, one)
    return totals


OUT: list[Box | None] = [*walk(300, 640), *gone(10)]
BACK: list[Box | None] = [*walk(630, 300)]
OUTSIDE: Box = (0, 0, 0, 0)


def test_an_object_that_leaves_and_comes_back_may_be_one() -> None:
    totals = count(frames([*OUT, *BACK]))
    assert totals.unique() == {"person": 2}
    assert totals.unique_range() == {"person": (1, 2)}


@pytest.mark.parametrize(
    ("back", "why"),
    [
        (frames(walk(10, 300)), "at the other edge"),
        (frames(walk(630, 300, width=80)), "of another size"),
        (frames(BACK, class_id=1), "of another class"),
        (frames([*gone(25), *BACK]), "later than it is remembered"),
    ],
)
def test_another_object(back: list[Detections], why: str) -> None:
    totals = count([*frames(OUT), *back])
    assert sum(totals.unique().values()) == 2, why
    assert totals.unique_range() == {}, why


def test_how_long_is_an_option() -> None:
    options = CounterOptions(remember_s=5)
    totals = count(frames([*OUT, *BACK]), Totals(["person"], SIZE, options=options))
    assert totals.unique_range() == {}


def test_each_object_comes_back_once() -> None:
    two = [
        Detections.empty() if box is None else detections((*box, 0.9, 0), (*above(box), 0.9, 0))
        for box in [*BACK]
    ]
    totals = count([*frames(OUT), *two])
    assert totals.unique() == {"person": 3}
    assert totals.unique_range() == {"person": (2, 3)}


def above(box: Box) -> Box:
    return box[0], box[1] - 85, box[2], box[3] - 85


def test_a_period_doubts_its_own_objects_only() -> None:
    totals = count(frames(OUT))
    totals.close_period()
    count(frames(BACK), totals, first=len(OUT))
    assert totals.unique() == {"person": 1}
    assert totals.unique_range() == {}


@pytest.mark.parametrize("at", [5, 40, 100, 135])
def test_a_resumed_count_doubts_the_same(at: int) -> None:
    found = frames([*OUT, *BACK])
    saved: dict[str, Any] = json.loads(json.dumps(count(found[:at]).save()))
    totals = Totals(["person", "dog"], SIZE)
    totals.restore(saved)
    count(found[at:], totals, first=at)
    assert totals.unique_range() == {"person": (1, 2)}
    assert json.loads(json.dumps(totals.save())) == json.loads(json.dumps(count(found).save()))


def test_a_count_saved_before_there_were_ranges_is_resumed() -> None:
    saved = count(frames(OUT)).save()
    del saved["returns"], saved["withheld"]
    totals = Totals(["person", "dog"], SIZE)
    totals.restore(saved)
    count(frames(BACK), totals, first=len(OUT))
    assert totals.unique() == {"person": 2}


def crowd(seed: int) -> list[Detections]:
    """People and dogs of a few sizes who walk in, stop, leave, and come back near there."""
    random = np.random.default_rng(seed)
    walkers: list[tuple[int, list[Box]]] = []
    for _ in range(12):
        start, width = int(random.integers(0, 400)), float(random.choice([24, 36, 60]))
        y, class_id = float(random.integers(120, 350)), int(random.integers(2))
        there = walk(300, 640, y, width)
        back = walk(630, 300, y + float(random.integers(-20, 20)), width)
        away = [OUTSIDE] * int(random.integers(20, 250))
        walkers.append((class_id, [OUTSIDE] * start + there + away + back))
    return [
        detections(
            *(
                (*boxes[i], 0.9, class_id)
                for class_id, boxes in walkers
                if i < len(boxes) and boxes[i] is not OUTSIDE
            )
        )
        for i in range(900)
    ]


@pytest.mark.parametrize("seed", range(4))
def test_the_numbers_are_those_of_the_oracle(seed: int) -> None:
    counter, oracle = TrackCounter(2, SIZE), ReturnsOracle(CounterOptions().remember_s)
    most = 0
    for index, found in enumerate(crowd(seed)):
        tracks = counter.update(index * STEP_NS, found)
        oracle.note(index * STEP_NS, tracks, counter.take_events())
        numbers = counter.returns.numbers().tolist()
        assert numbers == [oracle.numbers[0], oracle.numbers[1]], index
        most = max(most, sum(numbers))
    assert most > 2
    saved = counter.returns.save()
    assert {row[0] for row in saved["seen"]} == set(oracle._row_of)
    assert {lost for lost, _ in saved["returns"]} == set(oracle._returns)


DAMAGED: dict[str, dict[str, Any]] = {
    "another class": {"numbers": [[2, 1]]},
    "a class below zero": {"numbers": [[-1, 1]]},
    "fewer than none": {"numbers": [[0, -1]]},
    "seen as another class": {"seen": [[1, 0, 2, [0, 0, 1, 1]]]},
    "a class of 40 digits": {"seen": [[1, 0, 10**40, [0, 0, 1, 1]]]},
    "seen twice": {"seen": 2 * [[1, 0, 0, [0, 0, 1, 1]]]},
    "no box": {"seen": [[1, 0, 0, [0, 0, 1]]]},
    "a box without end": {"seen": [[1, 0, 0, [0, 0, float("inf"), 1]]]},
    "a time of 40 digits": {"returns": [[1, [10**40, 0, 2]]]},
    "no track": {"returns": [[-1, [0, 0, 2]]]},
}


@pytest.mark.parametrize("name", sorted(DAMAGED))
def test_damaged_values_are_refused(name: str) -> None:
    totals = count(frames([*OUT, *BACK]))
    saved = json.loads(json.dumps(totals.save()))
    with pytest.raises((StateError, ValueError, TypeError)):
        totals.restore({**saved, "returns": {**saved["returns"], **DAMAGED[name]}})
    assert totals.unique_range() in ({"person": (1, 2)}, {})


def test_memory_does_not_grow_with_the_count() -> None:
    totals = Totals(["person", "dog"], SIZE, options=CounterOptions(remember_s=1, lost_s=1))
    index = 0
    for _ in range(60):
        for y in range(100, 360, 130):
            found = frames([*walk(100, 220, y=y), *gone(2)])
            count(found, totals, first=index)
            index += len(found)
    assert sum(totals.unique().values()) > 100
    assert len(totals.save()["returns"]["seen"]) <= 512


def test_the_report_shows_the_range(capsys: pytest.CaptureFixture[str]) -> None:
    found = frames([*OUT, *BACK])
    session = CountSession("camera", [], ["person", "dog"], SIZE)
    for index, one in enumerate(found):
        session.update_detections(one, index * STEP_NS / 1e9)
    report = session.report()
    assert report.as_dict()["unique"] == {"person": 2}
    assert report.as_dict()["unique_range"] == {"person": [1, 2]}
    sentence = "person: 1 to 2 unique objects"
    assert sentence in to_html(report)
    print_report(report)
    assert sentence in capsys.readouterr().out
