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


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ("count x.mp4 --raport a.json", "arguments: --raport a.json. Did you mean --report? See "),
        ("count x.mp4 --output x.mp4", "--output: --report FILE writes the counts, --annotate"),
        (
            "convert x.pt --output made",
            "--output made. --output: it is --out here. See",
        ),
        ("convert x.pt --target tflite", "--target tflite. --target: it is --to here. See"),
        ("count x.mp4 --target tflite", "unrecognized arguments: --target tflite. See tallylens"),
        ("inspect m.pt --weights m.pt", "--weights: the model needs no option here. See"),
        ("count x.mp4 --roi 0,0,1,1", "--roi: it is --zone here"),
        ("count x.mp4 --line 0 0.5 1 0.5", "as one word, such as 0,0.6,1,0.6. See tallylens count"),
        ("count a.mp4 b.mp4", "b.mp4. Files are given one at a time, names with spaces in"),
        ("convert a.pt b.pt", "b.pt. Files are given one at a time, names with spaces in"),
        ("count x.mp4 --zzz", "unrecognized arguments: --zzz. See tallylens count --help."),
        ("benchmark --source x --modle m", "--modle m. Did you mean --model? See tallylens bench"),
        ("cuont x.mp4", "'doctor'). Did you mean count? See tallylens --help."),
        ("zzz x.mp4", "'doctor'). See tallylens --help."),
    ],
)
def test_what_is_misspelt_gets_the_nearest(tallylens: Run, given: str, advice: str) -> None:
    outcome = tallylens(*given.split())
    assert outcome.status == 2
    assert advice in outcome.err
    assert outcome.err.count("\n") == 1


def test_other_messages_get_no_remedy() -> None:
    assert remedy("the following arguments are required: --half") == ""
    assert remedy("unrecognized arguments: --shiny") == ""
