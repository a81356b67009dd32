"""Options as YOLOv5's own scripts have them, given to tallylens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tallylens.commands.official_options import joined_sizes, remedy

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("count x.mp4 --imgsz 384 640", "count x.mp4 --imgsz 384x640"),
        ("eval --imgsz 320 640 m.pt", "eval --imgsz 320x640 m.pt"),
        ("count --imgsz 640 x.mp4", "count --imgsz 640 x.mp4"),
        ("count --imgsz 640 0", "count --imgsz 640 0"),
        ("count --imgsz 384x640 640", "count --imgsz 384x640 640"),
        ("count --imgsz 320 640 960", "count --imgsz 320x640 960"),
        ("convert m.pt --imgsz 320 640", "convert m.pt --imgsz 320 640"),
        ("count x.mp4 --workers 64 64", "count x.mp4 --workers 64 64"),
        ("", ""),
    ],
)
def test_two_sides_are_one_size(given: str, expected: str) -> None:
    assert joined_sizes(given.split()) == expected.split()


def test_options_that_are_called_otherwise(tallylens: Run) -> None:
    outcome = tallylens("count", "x.mp4", "--half", "--conf-thres=0.4", "--color")
    assert outcome.status == 2
    assert (
        "--half: convert the model first (tallylens convert MODEL --quantize fp16)" in outcome.err
    )
    assert "--conf-thres: it is --confidence here" in outcome.err
    assert "--color:" not in outcome.err


def test_other_messages_get_no_remedy() -> None:
    assert remedy("the following arguments are required: --half") == ""
    assert remedy("unrecognized arguments: --shiny") == ""
