"""Real videos, counted by eye beforehand (`counts.json`). The whole matrix is a benchmark."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tallylens import Counter, Line
from tallylens.edge_runtime.sources import open_source

pytestmark = [pytest.mark.slow, pytest.mark.realdata]


@pytest.fixture(scope="module")
def truth(data: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((data / "counts.json").read_text())
    return found


def test_street(data: Path, truth: dict[str, Any], tallylens: Callable[..., Any]) -> None:
    """The README's first command: a checkpoint, rectangular inference, three classes."""
    expected = truth["street.mp4"]
    outcome = tallylens(
        "count",
        data / "videos" / "street.mp4",
        "--model",
        data / "models" / "yolov5n.pt",
        "--line",
        ",".join(map(str, expected["line"])),
        "--classes",
        ",".join(expected["classes"]),
        "--json",
    )
    assert outcome.status == 0
    document = json.loads(outcome.out)
    assert document["frames"] == expected["frames"]
    (line,) = document["lines"]
    # A pickup is a car to some and a truck to others.
    assert sum(line["in"].values()) == sum(expected["in"].values())
    assert line["out"] == expected["out"]
    assert set(line["in"]) <= set(expected["classes"])


def test_car_detection_with_half_the_frames(data: Path, truth: dict[str, Any]) -> None:
    """The class flickers from frame to frame; the counts must not."""
    expected = truth["car-detection.mp4"]
    with (
        open_source(data / "videos" / "car-detection.mp4") as frames,
        Counter(
            data / "models" / "yolov5n.pt", lines=[Line(*expected["line"])], any_class=True
        ) as counter,
    ):
        half = ((frame.timestamp_ns, frame.image) for frame in frames if frame.index % 2 == 0)
        report = counter.run(half)
    assert report.frames == (expected["frames"] + 1) // 2
    (line,) = report.lines
    assert line.crossed_in == {"object": expected["any_class"]["in"]}
    assert line.crossed_out == {"object": expected["any_class"]["out"]}
