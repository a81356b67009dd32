"""The event stream: every event once, in the words that users chose."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tallylens import Counter, InputError, Line, UsageError, Zone
from tallylens.edge_runtime.counting.crops import CropFolder, crop
from tallylens.edge_runtime.counting.events import EventStream, wall_clock
from tests.support import squares

ROAD = Line(0, 0.5, 1, 0.5, "road", "southbound", "northbound")
LOWER_HALF = Zone(((0, 0.5), (1, 0.5), (1, 1), (0, 1)), "yard")
DAY_NS = 1_777_593_600_000_000_000  # 2026-05-01T00:00:00Z


@pytest.fixture
def make(tiny_model: Path) -> Callable[..., Counter]:
    return lambda **options: Counter(tiny_model, lines=[ROAD], zones=[LOWER_HALF], **options)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_event_says_what_where_and_when(
    make: Callable[..., Counter], crossing: Path, tmp_path: Path
) -> None:
    with make(events=tmp_path / "events.jsonl") as counter:
        report = counter.run(crossing)
    events = read(tmp_path / "events.jsonl")
    crossings = {one["direction"]: one for one in events if one["event"].startswith("crossed")}
    down = crossings["southbound"]
    assert (down["event"], down["class"], down["place"]) == ("crossed_in", "car", "road")
    assert down["time_s"] == pytest.approx(1.25, abs=0.2)
    assert (down["x"], down["y"]) == (pytest.approx(32, abs=2), pytest.approx(64, abs=4))
    assert down["age_s"] == pytest.approx(down["time_s"], abs=0.2)
    assert 0.5 < down["confidence"] <= 1
    assert (down["time"], down["previous_class"]) == (None, None)
    assert crossings["northbound"]["class"] == "person"
    kinds = sorted(one["event"] for one in events)
    assert kinds == sorted(
        ["confirmed"] * 2 + ["crossed_in", "crossed_out"] + ["entered"] * 2 + ["left"]
    )
    assert {one["place"] for one in events if one["event"] == "entered"} == {"yard"}
    assert report.lines[0].as_dict()["directions"] == {"in": "southbound", "out": "northbound"}


def test_the_wall_clock_where_it_is_known(
    make: Callable[..., Counter], crossing: Path, tmp_path: Path
) -> None:
    with make(events=tmp_path / "events.jsonl", starts_at=DAY_NS) as counter:
        report = counter.run(crossing)
    first = read(tmp_path / "events.jsonl")[0]
    assert first["time"] == f"2026-05-01T00:00:00.{round(first['time_s'] * 1000):03}Z"
    assert report.started == "2026-05-01T00:00:00.000Z"
    assert wall_clock(5, None) is None


def test_crops_of_the_objects(make: Callable[..., Counter], crossing: Path, tmp_path: Path) -> None:
    with make(events=tmp_path / "events.jsonl", crops=tmp_path / "crops") as counter:
        counter.run(crossing)
    events = read(tmp_path / "events.jsonl")
    named = [one["crop"] for one in events if one["crop"]]
    assert sorted(path.name for path in (tmp_path / "crops").iterdir()) == sorted(named)
    (car,) = (one for one in events if one["event"] == "crossed_in")
    image = cv2.imread(str(tmp_path / "crops" / car["crop"]))
    assert image is not None
    assert image.shape[0] == pytest.approx(1.2 * squares.SQUARE, abs=3)
    center = image[image.shape[0] // 2, image.shape[1] // 2]
    assert center[2] > 150 > center[0], "a red square, in BGR"


def test_a_crop_stays_in_the_frame() -> None:
    image = np.zeros((50, 100, 3), np.uint8)

    def shape(*box: float) -> tuple[int, ...] | None:
        found = crop(image, np.array(box, np.float32))
        return None if found is None else found.shape

    assert shape(-20, -20, 10, 10) == (13, 13, 3)
    assert shape(90, 40, 200, 90) == (15, 21, 3)
    assert shape(200, 200, 210, 210) is None


def test_events_on_standard_output(
    tallylens: Callable[..., Any], tiny_model: Path, crossing: Path
) -> None:
    done = tallylens(
        "count", crossing, "--model", tiny_model, "--line", "0,0.5,1,0.5,gate", "--events", "-"
    )
    assert done.status == 0
    records = [json.loads(line) for line in done.out.splitlines()]
    assert [one["event"] for one in records if one["place"] == "gate"] == [
        "crossed_in",
        "crossed_out",
    ]


def test_two_cannot_have_standard_output(
    tallylens: Callable[..., Any], tiny_model: Path, crossing: Path
) -> None:
    done = tallylens("count", crossing, "--model", tiny_model, "--events", "-", "--json")
    assert done.status == 2
    assert "both write to standard output" in done.err


def test_a_scheduled_reset_closes_periods(make: Callable[..., Counter], tmp_path: Path) -> None:
    """Down before midnight, up after it; the one that goes up was there before."""
    late = squares.Walker(squares.BLUE, (96, 112), (96, 16))
    pictures = squares.scene([squares.DOWN], 30) + squares.scene([late], 30)
    starts = DAY_NS - 3_000_000_000
    hour = (DAY_NS // 10**9 // 60) % 60
    events = tmp_path / "events.jsonl"
    with make(reset=f"hourly@{hour}", starts_at=starts, events=events) as counter:
        report = counter.run(squares.timed(pictures))
    (period,) = report.periods
    assert (period.start, period.end) == ("2026-04-30T23:59:57.000Z", "2026-05-01T00:00:00.000Z")
    assert (period.unique, period.lines[0].crossed_in) == ({"car": 1}, {"car": 1})
    assert (report.unique, report.lines[0].crossed_in) == ({"person": 1}, {})
    assert report.lines[0].crossed_out == {"person": 1}
    assert report.as_dict()["periods"][0] == period.as_dict()
    (closed,) = (one for one in read(events) if one["event"] == "period")
    assert closed == {"event": "period", **period.as_dict()}


def test_a_schedule_needs_the_time_of_day(make: Callable[..., Counter], crossing: Path) -> None:
    with make(reset="daily@00:00") as counter, pytest.raises(UsageError, match="--starts-at"):
        counter.run(crossing)


def test_where_events_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        EventStream(tmp_path / "missing" / "events.jsonl").restore({})
    with pytest.raises(InputError, match="Is a directory"):
        EventStream(tmp_path).restore({})
    (tmp_path / "short.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match="should hold 10 bytes of events, but has 3"):
        EventStream(tmp_path / "short.jsonl").restore({"events_bytes": 10})
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="Use a folder"):
        CropFolder(tmp_path / "file").restore({})
