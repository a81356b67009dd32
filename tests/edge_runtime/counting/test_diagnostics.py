"""Why nothing, or less, was counted: each reason from a scene that has it."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from tallylens import Detections, Line, Zone
from tallylens.edge_runtime.core import TrackCounter
from tallylens.edge_runtime.core.findings import Finding
from tallylens.edge_runtime.counting.diagnostics import sentence
from tallylens.edge_runtime.counting.totals import Totals
from tests.edge_runtime.counting.explanations_oracle import explanations as oracle

SECOND = 1_000_000_000
ACROSS = Line(0, 200, 400, 200, "road")
YARD = Zone(((200, 200), (400, 200), (400, 400), (200, 400)), "yard")


def boxes(*rows: tuple[float, float, int], confidence: float = 0.9) -> Detections:
    xyxy = np.array([(x - 10, y - 10, x + 10, y + 10) for x, y, _ in rows], np.float32)
    class_id = np.array([class_id for _, _, class_id in rows], np.int32)
    scores = np.full(len(rows), confidence, np.float32)
    return Detections(xyxy.reshape(-1, 4), scores, class_id)


def told(totals: Totals, frames: list[Detections], fps: float = 10) -> list[str]:
    for index, found in enumerate(frames):
        totals.add(round(index * SECOND / fps), found)
    return totals.explanations()


def test_no_frame() -> None:
    assert Totals(("car",), (400, 400)).explanations() == ["no frame was read"]


def test_all_well() -> None:
    frames = [boxes((50, 100 + 10 * i, 0)) for i in range(20)]
    assert told(Totals(("car",), (400, 400), lines=[ACROSS]), frames) == []


def test_nothing_detected() -> None:
    (reason,) = told(Totals(("car",), (400, 400)), [boxes()] * 9)
    assert reason.startswith("no detections in any frame")


def test_filtered_by_class() -> None:
    totals = Totals(("car", "bus"), (400, 400), classes=["bus"])
    assert told(totals, [boxes((50, 50, 0))] * 20) == ["no object of the chosen classes, but 1 car"]
    assert totals.uncounted()["other_classes"] == {"car": 20}
    short = Totals(("car", "bus"), (400, 400), classes=["bus"])
    assert told(short, [boxes((50, 50, 0))] * 2) == [
        "no detections of the chosen classes, but 2 car (detections, not objects)"
    ]


def test_tracks_shorter_than_the_confirmation() -> None:
    totals = Totals(("car",), (400, 400))
    (reason,) = told(totals, [boxes((50, 50, 0))] * 2 + [boxes()] * 38)
    assert "the longest of 1 tentative track lasted 0.10 s, where 0.25 s" in reason
    uncounted = totals.uncounted()
    assert (uncounted["short_tracks"], uncounted["longest_short_track_s"]) == (1, 0.1)


def test_detections_too_weak_to_begin_an_object() -> None:
    (reason,) = told(Totals(("car",), (400, 400)), [boxes((50, 50, 0), confidence=0.15)] * 20)
    assert reason.startswith("20 detections, all below the confidence of 0.4")


def test_a_line_that_was_never_reached() -> None:
    frames = [boxes((50, 50 + 5 * i, 0)) for i in range(20)]
    assert told(Totals(("car",), (400, 400), lines=[ACROSS]), frames) == [
        "road: no crossings; the closest object came within 45 px"
    ]


def test_a_line_that_only_others_crossed() -> None:
    totals = Totals(("car", "bus"), (400, 400), lines=[ACROSS], classes=["car"])
    frames = [boxes((50, 100 + 10 * i, 1), (350, 50, 0)) for i in range(20)]
    assert told(totals, frames) == ["road: no crossings by the chosen classes, but by 1 bus"]


def test_a_zone_that_nobody_entered() -> None:
    frames = [boxes((50, 50, 0))] * 20
    assert told(Totals(("car",), (400, 400), zones=[YARD]), frames) == [
        "yard: no entries; no object was in it"
    ]


@pytest.mark.parametrize("fps", [2, 4])
def test_a_frame_rate_too_low_for_the_speed(fps: float) -> None:
    """Twenty-five of its own sizes from frame to frame; the rate named is one that does."""
    totals = Totals(("car",), (4000, 400), lines=[Line(0, 200, 4000, 200, "road")])
    reasons = told(totals, [boxes((50 + 500 * i, 50, 0)) for i in range(8)], fps)
    assert any("moved too far between frames" in reason for reason in reasons)
    needed = totals.diagnostics().needed_fps
    assert needed > fps
    step = 500 * fps / needed
    enough = Totals(("car",), (4000, 400))
    frames = [boxes((50 + step * i, 50, 0)) for i in range(int(3900 / step))]
    told(enough, frames, needed)
    assert enough.unique() == {"car": 1}


@pytest.mark.parametrize(
    ("unlinked", "needed_fps", "expected"),
    [
        (1, 24.2, "1 object moved too far between frames to be tracked; about 25 fps would be"),
        (3, 11.0, "3 objects moved too far between frames to be tracked; about 11 fps would be"),
    ],
)
def test_the_advice_in_words(unlinked: int, needed_fps: float, expected: str) -> None:
    totals = Totals(("car",), (400, 400))
    facts = replace(totals.diagnostics(), unlinked=unlinked, needed_fps=needed_fps)
    finding = Finding("too_fast", None, (), math.ceil(needed_fps))
    assert sentence(totals, facts, finding).removesuffix(" enough") == expected


@pytest.mark.parametrize(("fewer", "advised"), [(1, True), (0, False), (-10, False)])
@pytest.mark.parametrize("periods", [1, 2])
def test_a_higher_rate_is_advised_only_where_it_is_higher(
    periods: int, fewer: int, advised: bool
) -> None:
    """Frames of five seconds: one fewer than at the rate that is needed, as many and more.

    A period is judged by its own frames, also after an hour with few of them.
    """
    counter = TrackCounter(1, (4000, 400))
    for period in range(periods):
        if period:
            counter.reset()
        start = period * 3600 * SECOND
        for index in range(9):
            counter.update(start + index * SECOND // 2, boxes((50 + 400 * index, 50, 0)))
    facts = counter.diagnostics()
    assert facts.unlinked
    assert not facts.needed_fps % 1
    more = round(5 * facts.needed_fps) - fewer - 8
    for index in range(1, more + 1):
        counter.update(start + 4 * SECOND + index * SECOND // more, boxes())
    found = counter.findings()
    assert [one.value for one in found if one.cause == "too_fast"] == [facts.needed_fps] * advised


def scene(seed: int) -> tuple[Totals, list[Detections], float]:
    """Regions, classes, filters, rates and objects by chance."""
    random = np.random.default_rng(seed)
    totals = Totals(
        ("car", "bus", "van"),
        (400, 400),
        lines=[ACROSS] * int(random.integers(2)),
        zones=[YARD] * int(random.integers(2)),
        regions=[Line(0, 390, 400, 390)] * int(random.integers(2)),
        classes=[None, ["bus"], ["bus", "van"]][random.integers(3)],
        min_size=[None, 15.0, 60.0][random.integers(3)],
    )
    confidence = float(random.choice([0.15, 0.3, 0.9]))
    walkers = [
        (random.uniform(0, 400), random.uniform(0, 300), random.uniform(-9, 60))
        for _ in range(random.integers(4))
    ]
    class_ids = random.integers(0, 3, len(walkers))
    frames = [
        boxes(
            *(
                (x, y + i * step, int(id))
                for (x, y, step), id in zip(walkers, class_ids, strict=True)
            ),
            confidence=confidence,
        )
        for i in range(int(random.choice([2, 12, 40])))
    ]
    return totals, frames, float(random.choice([3, 10, 30]))


def test_the_reasons_are_those_of_the_oracle() -> None:
    reasons = set()
    for seed in range(300):
        totals, frames, fps = scene(seed)
        expected = told(totals, frames, fps)
        assert expected == oracle(totals), seed
        reasons |= {re.sub(r"[\d.]+", "#", reason)[:30] for reason in expected}
    assert len(reasons) >= 9, reasons
