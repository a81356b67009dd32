"""Events add up to the report: replaying them gives its totals, whatever happened before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallylens import Detections, Line, Zone
from tallylens.edge_runtime.counting.events import event_record
from tallylens.edge_runtime.counting.period_totals import PeriodTotals
from tallylens.edge_runtime.counting.sinks import FrameResult
from tallylens.edge_runtime.counting.totals import Totals
from tallylens.edge_runtime.types import Event, FrameTime, Tracks
from tests.support.detections import detections
from tests.support.replay import expected, left, replay_of_the_guide

replay = replay_of_the_guide()
NAMES = ("car", "truck", "boat")
SIZE = (640, 360)
STEP_NS = 50_000_000
FRAMES = 60
LINES = [Line(0.5, 0, 0.5, 1, "gate"), Line(0.2, 0, 0.2, 1, "start")]
ZONES = [Zone(((0.4, 0), (0.8, 0), (0.8, 1), (0.4, 1)), "yard")]


class Replayed:
    """Totals beside the lines of their events."""

    def __init__(self, classes: list[str] | None, totals: Totals | None = None) -> None:
        self.classes = classes
        self.lines: list[str] = []
        self.totals = totals or self.new_totals()

    def new_totals(self) -> Totals:
        return Totals(NAMES, SIZE, lines=LINES, zones=ZONES, classes=self.classes)

    def add(self, index: int, found: Detections) -> None:
        tracks, events = self.totals.add(index * STEP_NS, found)
        self.write(events, FrameTime(index * STEP_NS, index), found, tracks)

    def write(
        self, events: list[Event], frame: FrameTime, found: Detections, tracks: Tracks
    ) -> None:
        result = FrameResult(frame, found, tracks, events, self.totals)
        self.lines += [json.dumps(event_record(event, result)) for event in events]

    def conclude(self) -> None:
        events = self.totals.conclude()
        self.write(events, FrameTime(0), Detections.empty(), Tracks.empty())

    def close_period(self) -> None:
        self.check()
        period = self.totals.close_period()
        self.lines.append(json.dumps({"event": "period", **period.as_dict()}))

    def resume(self) -> None:
        saved = json.loads(json.dumps(self.totals.save()))
        self.totals = self.new_totals()
        self.totals.restore(saved)

    def check(self) -> None:
        totals = self.totals
        report = PeriodTotals.of(totals.unique(), totals.regions())
        assert replay(self.lines, self.classes) == expected(report) | left(totals)


@st.composite
def objects(draw: st.DrawFn) -> list[tuple[float, float, float, list[int]]]:
    """Start, speed in pixels per frame, height in the frame, and the classes in their order."""
    rows = [50.0, 150.0, 250.0, 340.0]
    return [
        (
            draw(st.sampled_from([-20.0, 60.0, 300.0, 620.0])),
            draw(st.sampled_from([-14.0, -6.0, 0.0, 3.0, 8.0, 20.0])),
            y,
            draw(st.lists(st.integers(0, 2), min_size=1, max_size=6)),
        )
        for y in draw(st.lists(st.sampled_from(rows), min_size=1, max_size=4, unique=True))
    ]


def boxes_at(index: int, walkers: list[tuple[float, float, float, list[int]]]) -> Detections:
    rows = []
    for start, speed, y, classes in walkers:
        x = start + speed * index
        if -20 < x < SIZE[0] + 20:
            # Each class lasts for some frames, so that votes are won and lost.
            class_id = classes[index // 8 % len(classes)]
            rows.append((x - 20.0, y - 40.0, x + 20.0, y, 0.9, class_id))
    return detections(*rows)


@settings(max_examples=150, deadline=None)
@given(
    walkers=objects(),
    classes=st.sampled_from([None, ["car"], ["car", "truck"], ["boat"]]),
    resets=st.sets(st.integers(1, FRAMES - 1), max_size=2),
    resumes=st.sets(st.integers(1, FRAMES - 1), max_size=2),
)
def test_replaying_the_events_gives_the_totals(
    walkers: list[tuple[float, float, float, list[int]]],
    classes: list[str] | None,
    resets: set[int],
    resumes: set[int],
) -> None:
    count = Replayed(classes)
    for index in range(FRAMES):
        if index in resets:
            count.close_period()
        if index in resumes:
            count.resume()
        count.add(index, boxes_at(index, walkers))
    count.conclude()
    count.check()


def test_an_object_that_turns_out_to_be_wanted_gets_its_earlier_events() -> None:
    """A boat on the road until it is nearer: its crossing was counted, so its event follows."""
    count = Replayed(["car"])
    for index in range(FRAMES):
        class_id = 2 if index < 20 else 0
        x = 60.0 + 5 * index
        count.add(index, detections((x - 20, 100, x + 20, 140, 0.9, class_id)))
    events = [json.loads(line) for line in count.lines]
    first = [(one["event"], one["place"], one["class"]) for one in events]
    assert first[:3] == [
        ("confirmed", None, "car"),
        ("crossed_out", "start", "car"),
        ("reclassified", None, "car"),
    ]
    assert events[2]["previous_class"] == "boat"
    assert events[1]["time_s"] < events[2]["time_s"]
    count.check()


def test_an_object_of_other_classes_throughout_has_no_events() -> None:
    count = Replayed(["car"])
    for index in range(FRAMES):
        x = 60.0 + 8 * index
        count.add(index, detections((x - 20, 100, x + 20, 140, 0.9, 2)))
    assert count.lines == []
    assert count.totals.unique() == {}


def test_an_object_is_one_of_the_wanted_classes_if_it_can_be() -> None:
    """Two of three detections say boat, one says car: with --classes car it is a car."""
    for classes, name in ((None, "boat"), (["car"], "car")):
        count = Replayed(classes)
        for index in range(FRAMES):
            x = 60.0 + 8 * index
            box = (x - 20, 100, x + 20, 140, 0.9, 0 if index % 3 == 0 else 2)
            count.add(index, detections(box))
        assert count.totals.unique() == {name: 1}


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["float", "int8"])
@pytest.mark.parametrize("name", ["truckroad", "malldoor", "concourse", "road"])
def test_the_events_of_real_clips(name: str, kind: str, data: Path) -> None:
    truth: dict[str, Any] = json.loads((data / "streams" / "truth.json").read_text())[name]
    with np.load(data / "streams" / f"{name}-{kind}.npz") as file:
        stream = {key: file[key] for key in file.files}
    size = int(stream["size"][0]), int(stream["size"][1])
    ends = np.cumsum(stream["boxes_per_frame"])
    for classes in (truth["classes"], None):
        x1, y1, x2, y2 = truth["line"]
        gate = Line(x1, y1, x2, y2, "gate")
        totals = Totals(
            [str(one) for one in stream["class_names"]],
            size,
            lines=[gate],
            zones=[Zone(((0, 0.5), (1, 0.5), (1, 1), (0, 1)), "half")],
            classes=classes,
        )
        count = Replayed(classes, totals)
        for index, (a, b) in enumerate(zip(ends - stream["boxes_per_frame"], ends, strict=True)):
            if index == len(ends) // 2:
                count.close_period()
            found = Detections(
                stream["xyxy"][a:b], stream["confidence"][a:b], stream["class_id"][a:b]
            )
            tracks, events = totals.add(int(stream["timestamp_ns"][index]), found)
            count.write(events, FrameTime(0), found, tracks)
        count.conclude()
        count.check()
        assert count.lines
