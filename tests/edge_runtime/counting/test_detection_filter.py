"""Ignored zones and sizes in fractions or pixels, checked against the frame."""

from __future__ import annotations

import pytest

from tallylens import Counter, Zone
from tallylens.edge_runtime.counting.detection_filter import DetectionFilter, detection_filter
from tallylens.edge_runtime.counting.report import Report
from tallylens.edge_runtime.errors import UsageError
from tests.support.detections import detections

LEFT = Zone(((0, 0), (0.3, 0), (0.3, 1), (0, 1)), "mirror")


def count(**how: object) -> Report:
    counter = Counter.from_detections(["car"], (640, 480), **how)  # type: ignore[arg-type]
    for i in range(30):
        y = 100 + 5 * i
        counter.update_detections(
            detections((80, y - 40, 120, y, 0.9, 0), (460, y - 80, 540, y, 0.9, 0)), i / 25
        )
    return counter.report()


def test_sizes_are_fractions_of_the_shorter_side_or_pixels() -> None:
    placed = DetectionFilter(min_size=0.1, max_size=300).place((640, 480))
    assert placed.sizes() == {"min_size": 48, "max_size": 300}
    assert DetectionFilter(max_size=1).place((1080, 1920)).sizes() == {"max_size": 1080}
    assert DetectionFilter().place((640, 480)).as_dict() == {}


def test_the_report_says_what_was_ignored() -> None:
    document = count(ignore=[LEFT], min_size=0.05).as_dict()
    assert document["unique"] == {"car": 1}
    assert document["uncounted"]["ignored_detections"] == 30
    assert document["filters"] == {
        "ignore": [{"name": "mirror", "points": [[0, 0], [192, 0], [192, 480], [0, 480]]}],
        "min_size": 24,
    }
    plain = count().as_dict()
    assert plain["unique"] == {"car": 2}
    assert "filters" not in plain
    assert "ignored_detections" not in plain["uncounted"]


def test_a_count_of_ignored_objects_only_is_explained() -> None:
    report = count(max_size=10)
    assert report.warnings == (
        "60 detections, all in ignored zones or outside the minimum and maximum size",
    )


@pytest.mark.parametrize(
    ("zones", "sizes", "message"),
    [
        ([Zone(((0, 0), (1, 1), (1, 0), (0, 1)))], (None, None), "the sides of a zone cross"),
        ([Zone(((0, 0), (0.5, 0), (1, 0)))], (None, None), "collinear"),
        ([Zone(((0, 0.5), (300, 0), (300, 40)))], (None, None), "mix fractions with pixels"),
        ([Zone(((0, 0), (1, 0), (1, 1)), min_dwell_s=3)], (None, None), "has no dwell time"),
        ([], (0, None), "the minimum size is 0"),
        ([], (None, -3), "the maximum size is -3"),
        ([], (float("nan"), None), "the minimum size is nan"),
        ([], (float("inf"), None), "the minimum size is inf"),
    ],
)
def test_what_could_not_work_is_refused(
    zones: list[Zone], sizes: tuple[float | None, float | None], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        detection_filter(zones, *sizes)


def test_what_does_not_fit_the_frame_is_refused() -> None:
    outside = Zone(((700, 0), (800, 0), (800, 100)))
    with pytest.raises(UsageError, match="ignored zone 1 is outside the frame, which has 640x480"):
        detection_filter([outside], None, None).place((640, 480))
    with pytest.raises(UsageError, match="the minimum size, 240 pixels, is above the maximum, 100"):
        detection_filter([], 0.5, 100).place((640, 480))
