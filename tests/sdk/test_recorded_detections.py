"""Counting recorded detections and those of other detectors: no model, the same counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tallylens import Counter, Line, RecordedDetections, TimestampError, Totals, UsageError
from tests.support.detections import detections
from tests.support.replay import expected, replay_of_the_guide

Run = Callable[..., Any]
LINE = "0,0.5,1,0.5,road"
ZONE = "0,0.5,1,0.5,1,1,0,1,yard"


@pytest.fixture
def recorded(tallylens: Run, tiny_model: Path, crossing: Path, tmp_path: Path) -> Path:
    path = tmp_path / "crossing.npz"
    done = tallylens("count", crossing, "--model", tiny_model, "--detections", path, "--json")
    assert done.status == 0, done.err
    return path


def test_a_recording_is_counted_as_its_video(
    tallylens: Run, tiny_model: Path, crossing: Path, recorded: Path, tmp_path: Path
) -> None:
    documents, events = [], []
    for source, model in ((crossing, ["--model", tiny_model]), (recorded, [])):
        file = tmp_path / f"{source.suffix[1:]}.jsonl"
        done = tallylens(
            *("count", source, *model, "--line", LINE, "--zone", ZONE, "--events", file, "--json")
        )
        assert (done.status, done.err) == (0, "")
        documents.append(json.loads(done.out))
        events.append(file.read_text().splitlines())
    video, again = documents
    assert again["engine"] == "recorded detections"
    same = [key for key in video if key not in ("source", "model", "engine", "speed")]
    assert {key: again[key] for key in same} == {key: video[key] for key in same}
    assert video["lines"][0]["in"] == {"car": 1}
    assert events[0] == events[1]


def test_every_report_but_images(tallylens: Run, recorded: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"report.{ending}" for ending in ("html", "json", "jsonl", "csv")]
    reports = [part for file in files for part in ("--report", file)]
    done = tallylens("count", recorded, "--line", LINE, *reports)
    assert done.status == 0
    assert all(file.stat().st_size for file in files)


@pytest.mark.parametrize(
    "option",
    [
        ("--annotate", "out.mp4"),
        ("--crops", "crops"),
        ("--max-fps", "5"),
        ("--sample", "auto"),
        ("--imgsz", "320"),
    ],
)
def test_what_needs_images_is_refused(
    option: tuple[str, str], tallylens: Run, recorded: Path, tmp_path: Path
) -> None:
    name, value = option
    done = tallylens("count", recorded, name, tmp_path / value if "." in value else value)
    assert done.status == 2
    assert f"{name} needs the images, and {recorded} holds detections only" in done.err
    assert "Count the video itself" in done.err


def test_a_file_that_is_damaged(tallylens: Run, recorded: Path) -> None:
    recorded.write_bytes(recorded.read_bytes()[:-50])
    done = tallylens("count", recorded)
    assert done.status == 3
    assert "not recorded detections: it is damaged" in done.err


def test_a_recording_does_not_overwrite_its_source(tallylens: Run, recorded: Path) -> None:
    assert tallylens("count", recorded, "--detections", recorded).status == 2


def test_a_recording_resumes(recorded: Path, tmp_path: Path) -> None:
    def counter(state: Path) -> Counter:
        return Counter(
            lines=[Line(0, 0.5, 1, 0.5)], state=state, events=state.with_suffix(".jsonl")
        )

    with counter(tmp_path / "whole") as whole:
        complete = whole.run(recorded)
    with counter(tmp_path / "a") as first:
        results = first.watch(recorded)
        for _ in range(30):
            next(results)
        results.close()
    with counter(tmp_path / "a") as second:
        report = second.run(recorded)
    assert (report.frames, report.unique, report.lines) == (
        complete.frames,
        complete.unique,
        complete.lines,
    )
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    assert lines == (tmp_path / "whole.jsonl").read_text().splitlines()
    assert replay_of_the_guide()(lines, None) == expected(report)


def from_detections(**more: Any) -> Counter:
    return Counter.from_detections(["car", "bus"], (400, 400), **more)


def test_boxes_of_any_detector() -> None:
    with from_detections(lines=[Line(0, 200, 400, 200)], classes=["bus"]) as counter:
        for i in range(21):
            y = 102 + 5 * i if i < 20 else 202
            found = detections((100, y - 50, 150, y, 0.8, 1), (300, 10, 350, 60, 0.9, 0))
            tracks = counter.update_detections(found, timestamp_s=i / 10)
        assert tracks.class_id.tolist() == [1]
        counter.conclude()
        report = counter.report()
    assert (report.source, report.engine) == ("detections", "recorded detections")
    assert (report.frames, report.unique) == (21, {"bus": 1})


def test_detections_that_cannot_be_counted() -> None:
    good = detections((0, 0, 9, 9, 0.5, 0))
    faults = {
        "one row per box": (good.xyxy[:, :3], good.confidence, good.class_id),
        "not finite": (good.xyxy * np.float32("nan"), good.confidence, good.class_id),
        "left <= right": (good.xyxy[:, ::-1], good.confidence, good.class_id),
        "confidence is not": (good.xyxy, good.confidence + 1, good.class_id),
        "class id is not from 0 to 1": (good.xyxy, good.confidence, good.class_id + 2),
    }
    with from_detections() as counter:
        for reason, parts in faults.items():
            with pytest.raises(UsageError, match=f"these detections cannot be counted: .*{reason}"):
                counter.update_detections(type(good)(*parts), 0.0)
        counter.update_detections(good, 0.0)
        with pytest.raises(TimestampError):
            counter.update_detections(good, 0.0)
        with pytest.raises(UsageError, match="the timestamp is nan"):
            counter.update_detections(good, float("nan"))


def test_a_counter_has_a_model_or_none() -> None:
    image = np.zeros((400, 400, 3), np.uint8)
    with from_detections() as counter:
        with pytest.raises(UsageError, match="Use update_detections"):
            counter.update(image, 0.0)
        with pytest.raises(UsageError, match="this counter has no model"):
            counter.run([(0, image)])
    with (
        Counter("demo") as counter,
        pytest.raises(UsageError, match="from_detections"),
    ):
        counter.update_detections(detections(), 0.0)


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["truckroad-float", "malldoor-int8"])
def test_the_streams(name: str, tallylens: Run, data: Path) -> None:
    truth = json.loads((data / "streams" / "truth.json").read_text())[name.partition("-")[0]]
    line = ",".join(map(str, truth["line"]))
    path = data / "streams" / f"{name}.npz"
    done = tallylens("count", path, "--line", line, "--json")
    assert done.status == 0
    recorded = RecordedDetections(path)
    totals = Totals(recorded.class_names, recorded.size, lines=[Line.parse(line)])
    for frame, found in recorded:
        totals.add(frame.timestamp_ns, found)
    totals.conclude()
    (counted,) = totals.lines()
    assert sum(counted.crossed_in.values()) > 10
    assert json.loads(done.out)["lines"] == [counted.as_dict()]
