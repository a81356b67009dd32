"""`tallylens cost`: tables for people, one document with --json, errors in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_tables(tallylens: Run) -> None:
    outcome = tallylens("cost", "--sources")
    assert (outcome.status, outcome.err) == (0, "")
    for word in ("3,670.22", "20,769.23", "phone-first (proposed)", "DOUBT"):
        assert word in outcome.out


def test_json_and_options(tallylens: Run, tmp_path: Path) -> None:
    benchmark = tmp_path / "here.json"
    measured = {"machine": {"cores": 1}, "ms": {"video_decode": 8}, "fps": {"all_workers": 40}}
    benchmark.write_text(json.dumps(measured))
    options = ("--way", "cpu", "--benchmark", benchmark, "--burst-videos", "10", "--json")
    document = json.loads(tallylens("cost", *options).out)
    assert document["scenario"]["burst_videos"] == 10
    assert document["run"]["way"] == "cpu"
    # 10 x 3,600 frames in 1,130 s are 31.9 frames/s; one machine of 4 such cores has 0.7 x 160.
    assert [one["count"] for one in document["ways"]["cpu"]["machines"]] == [1]
    assert document["decoding_share"] == pytest.approx(40 * 8 / 1000)


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--deadline-s", "10"], 2, "no time to count"),
        (["--prices", "missing.csv"], 3, "missing.csv"),
        (["--benchmark", "missing.json"], 3, "missing.json"),
        (["--provider", "nobody"], 2, "Choose another provider"),
        (["--fps", "many"], 2, "invalid float value"),
    ],
)
def test_errors(tallylens: Run, options: list[str], status: int, words: str) -> None:
    outcome = tallylens("cost", *options)
    assert outcome.status == status
    assert words in outcome.err
