"""Ignored areas and sizes: such detections are neither tracked nor counted, only reported."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens.edge_runtime.core import CounterOptions, TrackCounter
from tallylens.edge_runtime.errors import CoreError, StateError
from tests.support.detections import detections

FRAME = (640, 480)
AREA = ((0.0, 0.0), (200.0, 0.0), (200.0, 480.0), (0.0, 480.0))
STEP_NS = 40_000_000


def new_counter(*areas: Any, **how: Any) -> TrackCounter:
    counter = TrackCounter(1, FRAME, **how)
    counter.add_line((0, 240), (640, 240))
    for area in areas:
        counter.ignore(area)
    return counter


def two_that_go_down(counter: TrackCounter, start: int = 0, end: int = 60) -> TrackCounter:
    """One of 40x40 pixels at the left, one of 80x80 at the right."""
    for i in range(start, end):
        y = 100 + 5 * i
        counter.update(
            i * STEP_NS,
            detections((80, y - 40, 120, y, 0.9, 0), (460, y - 80, 540, y, 0.9, 0)),
        )
    return counter


@pytest.mark.parametrize(
    ("areas", "sizes", "counted"),
    [
        ((), {}, 2),
        ((AREA,), {}, 1),
        ((), {"min_size": 60}, 1),
        ((), {"max_size": 60}, 1),
        ((AREA,), {"max_size": 60}, 0),
        ((), {"min_size": 40, "max_size": 80}, 2),
    ],
)
def test_ignored_objects_are_not_counted(
    areas: tuple[Any, ...], sizes: dict[str, float], counted: int
) -> None:
    counter = two_that_go_down(new_counter(*areas, **sizes))
    assert counter.unique().tolist() == [counted]
    assert counter.line(0).crossed_in.tolist() == [counted]
    facts = counter.diagnostics()
    assert facts.detections == 120
    assert facts.ignored == 60 * (2 - counted)
    assert facts.below_low_confidence == 0


def test_the_anchor_decides_whether_a_detection_is_in_an_area() -> None:
    band = ((0.0, 90.0), (640.0, 90.0), (640.0, 110.0), (0.0, 110.0))
    box = detections((80, 0, 120, 100, 0.9, 0))
    assert not new_counter(band).usable(box).any()
    centered = new_counter(band, options=CounterOptions(anchor="center"))
    assert centered.usable(box).all()


def test_weak_detections_are_not_usable() -> None:
    found = detections((0, 0, 40, 40, 0.05, 0), (300, 0, 340, 40, 0.2, 0), (0, 0, 40, 40, 0.9, 0))
    assert new_counter(AREA).usable(found).tolist() == [False, True, False]
    assert new_counter().usable(detections()).tolist() == []


@given(
    corners=st.lists(st.tuples(st.floats(0, 640), st.floats(0, 480)), min_size=3, max_size=8),
    boxes=st.lists(
        st.tuples(st.floats(0, 640), st.floats(0, 480), st.floats(0, 200), st.floats(0, 200)),
        max_size=8,
    ),
    sizes=st.tuples(st.floats(0, 100), st.floats(100, 300)),
)
def test_usable_agrees_with_the_even_odd_rule(
    corners: list[tuple[float, float]],
    boxes: list[tuple[float, float, float, float]],
    sizes: tuple[float, float],
) -> None:
    """The oracle counts the sides that a ray to the right crosses; near sides it has no say."""
    counter = new_counter(corners, min_size=sizes[0], max_size=sizes[1])
    rows = [(x, y, x + w, y + h, 0.9, 0) for x, y, w, h in boxes]
    found = detections(*rows)
    sides = list(zip(corners, (*corners[1:], corners[0]), strict=True))
    for usable, box in zip(counter.usable(found), found.xyxy.astype(float), strict=True):
        x, y = (box[0] + box[2]) / 2, box[3]
        size = np.sqrt((box[2] - box[0]) * (box[3] - box[1]))
        crossed, doubtful = 0, min(abs(size - one) for one in sizes) < 1e-3
        for (ax, ay), (bx, by) in sides:
            doubtful |= min(abs(ay - y), abs(by - y)) < 1e-3
            if (ay > y) != (by > y):
                at = ax + (bx - ax) * (y - ay) / (by - ay)
                # Almost horizontal sides magnify the rounding of float32.
                doubtful |= abs(at - x) < 1e-3 * max(1, abs((bx - ax) / (by - ay)))
                crossed += at > x
        if not doubtful:
            assert usable == (crossed % 2 == 0 and sizes[0] <= size <= sizes[1])


def test_a_state_of_other_areas_or_sizes_is_refused() -> None:
    moved = tuple((x + 1, y) for x, y in AREA)
    kinds: list[dict[str, Any]] = [
        {},
        {"areas": (AREA,)},
        {"areas": (moved,)},
        {"areas": (AREA, moved)},
        {"min_size": 30},
        {"min_size": 31},
        {"max_size": 300},
        {"areas": (AREA,), "min_size": 30},
    ]

    def make(areas: tuple[Any, ...] = (), **sizes: float) -> TrackCounter:
        return new_counter(*areas, **sizes)

    states = [two_that_go_down(make(**kind), end=20).save() for kind in kinds]
    for i, kind in enumerate(kinds):
        for j, state in enumerate(states):
            counter = make(**kind)
            if i == j:
                counter.restore(state)
                whole = two_that_go_down(make(**kind))
                two_that_go_down(counter, 20)
                assert counter.save() == whole.save()
                assert counter.diagnostics() == whole.diagnostics()
            else:
                with pytest.raises(StateError, match="other options, lines or zones"):
                    counter.restore(state)


@pytest.mark.parametrize(
    ("corners", "message"),
    [
        (((0, 0), (1, 1)), "an ignored area has 3 to 1000 points"),
        (((0, 0), (1, 1), (float("nan"), 0)), "corners must be finite"),
        (((0, 0),) * 1001, "an ignored area has 3 to 1000 points"),
    ],
)
def test_areas_out_of_bounds_are_refused(corners: Any, message: str) -> None:
    with pytest.raises(CoreError, match=message):
        new_counter(corners)


def test_areas_are_bounded_and_come_before_the_first_frame() -> None:
    counter = new_counter(*([AREA] * 256))
    with pytest.raises(CoreError, match="at most 256 ignored areas"):
        counter.ignore(AREA)
    counter.update(0, detections())
    with pytest.raises(CoreError, match="ignored areas are added before the first frame"):
        counter.ignore(AREA)


def test_sizes_out_of_order_are_refused() -> None:
    with pytest.raises(CoreError, match="min_size is above max_size"):
        new_counter(min_size=20, max_size=10)
    with pytest.raises(CoreError, match="min_size is -1; use 0 or more"):
        new_counter(min_size=-1)
