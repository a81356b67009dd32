"""Wrong arguments of `Counter` are named before any work, each with the form to use."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tallylens import Counter, CounterOptions, Detections, Line, UsageError, Zone

CORNERS = ((0.1, 0.5), (0.9, 0.5), (0.9, 1.0))


@pytest.mark.parametrize(
    ("arguments", "problem", "remedy"),
    [
        ({"model": None}, "the model is None", "name in the model store"),
        ({"model": ""}, "the model is ''", "the path of a file"),
        ({"lines": ["0,0,1,1"]}, "lines holds the text", "Line.parse('0,0,1,1')"),
        ({"lines": [(0, 0.5, 1, 0.5)]}, "lines holds (0, 0.5, 1, 0.5)", "lines=[Line("),
        ({"lines": Line(0, 0, 1, 1)}, "lines is Line(", "Use a list: lines=[Line("),
        ({"lines": 3}, "lines is 3", "Use a list"),
        ({"lines": [Line("0", 0, 1, 1)]}, "which is not a region", "lines=[Line("),  # type: ignore[arg-type]
        ({"lines": [Zone(CORNERS)]}, "lines holds Zone(", "lines=[Line("),
        ({"zones": [Zone((0, 0, 1, 0, 1, 1))]}, "the corners of a zone are (0, 0", "zones=[Zone("),  # type: ignore[arg-type]
        ({"zones": [Zone((("a", 0), (1, 0), (1, 1)))]}, "which is not a region", "zones=[Zone("),  # type: ignore[arg-type]
        ({"ignore": [(0, 0, 1, 1)]}, "ignore holds (0, 0, 1, 1)", "ignore=[Zone("),
        ({"regions": [None]}, "regions holds None", "regions=[Line("),
        ({"classes": [2]}, "classes holds 2", "names of classes, not ids"),
        ({"classes": 2}, "classes is 2", "['car', 'bus']"),
        ({"classes": "car, bus"}, "classes is the text 'car, bus'", "['car', 'bus']"),
        ({"class_names": "abcd"}, "class_names is the text 'abcd'", "['abcd']"),
        ({"iou": 5}, "iou is 5", "a number from 0 to 1"),
        ({"iou": float("nan")}, "iou is nan", "a number from 0 to 1"),
        ({"iou": "0.4"}, "iou is '0.4'", "a number from 0 to 1"),
        ({"options": {}}, "options is {}", "CounterOptions(...)"),
        ({"options": CounterOptions(anchor="middle")}, "the anchor is 'middle'", "bottom-center"),  # type: ignore[arg-type]
        ({"options": CounterOptions(new_confidence=3)}, "new_confidence is 3", "Use 0 to 1"),
        ({"options": CounterOptions(remember_s=float("nan"))}, "remember_s is nan", "a number"),
        ({"options": CounterOptions(lost_s="1")}, "lost_s is '1'", "a number"),  # type: ignore[arg-type]
        ({"imgsz": (640, 640, 3)}, "imgsz is (640, 640, 3)", "(height, width)"),
        ({"imgsz": 0}, "imgsz is 0", "Use 640"),
        ({"imgsz": 320.0}, "imgsz is 320.0", "Use 640"),
        ({"workers": 1.5}, "workers is 1.5", "1 or more"),
        ({"starts_at": "yesterday"}, "starts_at is 'yesterday'", "nanoseconds since 1970"),
        ({"starts_at": datetime(2026, 5, 1, tzinfo=UTC)}, "starts_at is datetime", "timestamp()"),
        ({"reset": 3}, "unknown schedule '3'", "daily@HH:MM"),
        ({"state_every_s": -1}, "state_every_s is -1", "0 or more"),
        ({"patience_s": float("nan")}, "patience_s is nan", "0 or more"),
        ({"min_size": "10"}, "min_size is '10'", "a number"),
        ({"max_fps": "10"}, "max_fps is '10'", "a number"),
        ({"budget_ms": True}, "budget_ms is True", "a number"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, Any], problem: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        Counter(arguments.pop("model", "no such model"), **arguments)
    assert problem in caught.value.problem
    assert remedy in (caught.value.remedy or "")


@pytest.mark.parametrize("source", [None, True, 1.5, object()])
def test_what_is_no_source(tiny_model: Path, source: Any) -> None:
    with pytest.raises(UsageError, match=r"^the source is .* Give a video, a folder"):
        Counter(tiny_model).run(source)


@pytest.mark.parametrize("corners", [np.array(CORNERS), [list(one) for one in CORNERS]])
def test_corners_may_be_an_array_or_lists(corners: Any) -> None:
    def zone(points: Any) -> object:
        counter = Counter.from_detections(["car"], (100, 100), zones=[Zone(points)])
        counter.update_detections(Detections.empty(), 0.0)
        return counter.report().as_dict()["zones"], counter.report().outlines

    assert zone(corners) == zone(CORNERS)


def test_one_number_is_both_sides_of_the_input(tmp_path: Path) -> None:
    for given, expected in ((640, (640, 640)), (np.int64(320), (320, 320))):
        assert Counter("any", imgsz=given)._setup.imgsz == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(0, 100), (100,), 100, "10x10", (10.5, 10)])
def test_a_frame_size_that_is_none(size: Any) -> None:
    with pytest.raises(UsageError, match=r"^the size is .* Use \(width, height\) in pixels"):
        Counter.from_detections(["car"], size)


def test_class_names_are_a_list_of_texts() -> None:
    with pytest.raises(UsageError, match=r"class_names is the text 'car'. Use a list: \['car'\]"):
        Counter.from_detections("car", (100, 100))


def test_detections_may_be_lists() -> None:
    counter = Counter.from_detections(["car"], (100, 100))
    for i in range(10):
        lists: Any = ([[10, 10 + i, 30, 40 + i]], [0.9], [0])
        counter.update_detections(Detections(*lists), i / 25)
    assert counter.report().unique == {"car": 1}


@pytest.mark.parametrize(
    "found",
    [None, [[0, 0, 1, 1]], Detections("a", "b", "c"), Detections([[1, 2], [3]], [0.5], [0])],  # type: ignore[arg-type]
)
def test_what_is_no_detections(found: Any) -> None:
    with pytest.raises(UsageError, match=r"^the(se)? detections "):
        Counter.from_detections(["car"], (100, 100)).update_detections(found, 0.0)


@pytest.mark.parametrize("timestamp", ["0", None, b"1"])
def test_a_time_that_is_no_number(timestamp: Any) -> None:
    with pytest.raises(UsageError, match=r"^the timestamp is .* Use seconds from any origin"):
        Counter.from_detections(["car"], (100, 100)).update_detections(
            Detections.empty(), timestamp
        )
