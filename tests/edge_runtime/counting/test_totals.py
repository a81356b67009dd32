from __future__ import annotations

import numpy as np
import pytest

from tallylens import Detections, Line, UsageError
from tallylens.edge_runtime.counting.class_filter import wanted_classes
from tallylens.edge_runtime.counting.totals import Totals

SECOND = 1_000_000_000


def boxes(*rows: tuple[float, float, int]) -> Detections:
    """20x20 boxes of (center x, center y, class), all certain."""
    xyxy = np.array([(x - 10, y - 10, x + 10, y + 10) for x, y, _ in rows], np.float32)
    class_id = np.array([class_id for _, _, class_id in rows], np.int32)
    return Detections(xyxy.reshape(-1, 4), np.full(len(rows), 0.9, np.float32), class_id)


def test_wanted_classes() -> None:
    names = ("car", "bus", "car")
    assert wanted_classes(names, None) == {0, 1, 2}
    assert wanted_classes(names, ["car"]) == {0, 2}
    assert wanted_classes(names, []) == set()


@pytest.mark.parametrize(
    ("asked", "suggestion"),
    [
        ("trcuk", "Did you mean 'truck'?"),
        ("zzz", "The model has car, truck, bus, van, bicycle, ...;"),
    ],
)
def test_unknown_classes_get_suggestions(asked: str, suggestion: str) -> None:
    with pytest.raises(UsageError) as caught:
        wanted_classes(("car", "truck", "bus", "van", "bicycle", "boat"), ["car", asked])
    assert caught.value.problem == f"unknown class {asked!r}"
    assert caught.value.remedy == f"{suggestion} `tallylens inspect` lists all classes"


def test_classes_of_the_same_name_are_summed() -> None:
    totals = Totals(("car", "bus", "car"), (400, 400))
    for i in range(10):
        totals.add(i * SECOND // 10, boxes((50, 50, 0), (200, 200, 1), (350, 350, 2)))
    assert totals.unique() == {"car": 2, "bus": 1}


def test_occupancy_holds_the_most_of_each_second_with_objects() -> None:
    totals = Totals(("car",), (400, 400))
    for i in range(40):
        present = 0 if 14 <= i < 30 else 2 if i < 20 else 1
        totals.add(
            5 * SECOND + i * SECOND // 10, boxes(*[(60 + 200 * k, 60, 0) for k in range(present)])
        )
    assert totals.occupancy() == ((0.0, {"car": 2}), (1.0, {"car": 2}), (3.0, {"car": 1}))
    assert totals.seconds == pytest.approx(3.9)


def test_occupancy_grows_with_seconds_and_not_with_frames() -> None:
    totals = Totals(("car",), (400, 400))
    for i in range(1000):
        totals.add(i * SECOND // 500, boxes((60, 60, 0)))
    assert len(totals.occupancy()) == 2


def test_regions_get_names_and_pixels() -> None:
    lines = [Line(0, 0.5, 1, 0.5), Line(0, 50, 200, 50, "gate")]
    totals = Totals(("car",), (200, 100), lines=lines)
    assert [placed.name for placed in totals.placed] == ["line 1", "gate"]
    assert [placed.points for placed in totals.placed] == 2 * [((0, 50), (200, 50))]


def test_without_a_frame() -> None:
    totals = Totals(("car",), (200, 100), lines=[Line(0, 0.5, 1, 0.5)])
    assert totals.explanations() == ["no frame was read"]
    assert totals.seconds == 0
    assert totals.unique() == {}
