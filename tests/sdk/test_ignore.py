"""`count --ignore`, `--min-size` and `--max-size`, of videos, of photos and with a saved state."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.support.squares import scene

Tallylens = Callable[..., Any]
LINE = "0,0.5,1,0.5"
LEFT = "0,0,0.5,0,0.5,1,0,1,mirror"  # of the car, which goes down; the person is at the right


@pytest.fixture
def base(crossing: Path, tiny_model: Path) -> tuple[object, ...]:
    return "count", crossing, "--model", tiny_model, "--line", LINE


@pytest.mark.parametrize(
    ("options", "unique"),
    [
        ([], {"car": 1, "person": 1}),
        (["--ignore", LEFT], {"person": 1}),
        # Squares of 16 pixels in frames of 128.
        (["--min-size", "0.2"], {}),
        (["--min-size", "20"], {}),
        (["--max-size", "10"], {}),
        (["--min-size", "0.05", "--max-size", "40"], {"car": 1, "person": 1}),
    ],
)
def test_ignored_objects_are_not_counted(
    tallylens: Tallylens, base: tuple[object, ...], options: list[str], unique: dict[str, int]
) -> None:
    outcome = tallylens(*base, *options, "--json")
    assert outcome.status == 0
    document = json.loads(outcome.out)
    assert document["unique"] == unique
    assert document["lines"][0]["in"] == {name: 1 for name in unique if name == "car"}


def test_a_state_of_other_ignored_zones_is_not_resumed(
    tallylens: Tallylens, base: tuple[object, ...], tmp_path: Path
) -> None:
    state = tmp_path / "street.state"
    assert tallylens(*base, "--ignore", LEFT, "--state", state).status == 0
    before = state.read_bytes()
    outcome = tallylens(*base, "--state", state)
    assert outcome.status == 3
    assert "it is of other options, lines or zones" in outcome.err
    assert tallylens(*base, "--ignore", LEFT, "--min-size", "2", "--state", state).status == 3
    assert state.read_bytes() == before
    assert tallylens(*base, "--ignore", LEFT, "--state", state).status == 0


def test_reports_show_ignored_zones(
    tallylens: Tallylens, base: tuple[object, ...], tmp_path: Path
) -> None:
    page, video = tmp_path / "report.html", tmp_path / "out.mp4"
    outcome = tallylens(*base, "--ignore", LEFT, "--report", page, "--annotate", video)
    assert outcome.status == 0
    text = page.read_text()
    assert "<title>mirror</title>" in text
    assert "detections in ignored zones, too small or too large" in text
    assert video.is_file()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ignore", "0,0,1,1,1,0,0,1"], "the sides of a zone cross"),
        (["--ignore", "0,0,1,1"], "--ignore '0,0,1,1': expected x,y of at least 3 corners"),
        (["--ignore", "0,0.5,300,0,300,40"], "mix fractions with pixels"),
        (["--ignore", "700,0,800,0,800,9"], "ignored zone 1 is outside the frame"),
        (["--ignore", LEFT + ",dwell=3"], "an ignored zone has no dwell time"),
        (["--min-size", "0"], "not a number above 0"),
        (["--min-size", "60", "--max-size", "0.1"], "the minimum size, 60 pixels, is above"),
    ],
)
def test_what_could_not_work_is_refused(
    tallylens: Tallylens, base: tuple[object, ...], options: list[str], message: str
) -> None:
    outcome = tallylens(*base, *options)
    assert outcome.status == 2
    assert message in outcome.err


def test_photos_have_reports_and_ignored_zones(
    tallylens: Tallylens, tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    cv2.imwrite(str(folder / "=1.png"), scene()[3])
    cv2.imwrite(str(folder / "2.png"), scene()[9][8:120])
    (folder / "3.png").write_bytes(b"no image")
    reports = [tmp_path / f"photos{suffix}" for suffix in (".html", ".json", ".csv")]
    base = ("count", folder, "--model", tiny_model, "--stills")
    outcome = tallylens(*base, *(part for path in reports for part in ("--report", path)))
    assert outcome.status == 0, outcome.err
    page, document, rows = (path.read_text() for path in reports)
    assert page.count("data:image/jpeg;base64,") == 2
    assert "=1.png: 1 car, 1 person" in page
    assert "skipped" in page
    assert json.loads(document)["counts"] == {"car": 2, "person": 2}
    assert rows.splitlines()[0] == "image,class,count"
    # A spreadsheet does not take the name for a formula.
    assert "'=1.png,car,1" in rows.splitlines()
    outcome = tallylens(*base, "--ignore", LEFT, "--json")
    assert json.loads(outcome.out)["counts"] == {"person": 2}
    outcome = tallylens(*base, "--min-size", "0.5", "--json")
    assert json.loads(outcome.out)["counts"] == {}


def test_reports_of_photos_are_checked_before_counting(
    tallylens: Tallylens, tiny_model: Path, tmp_path: Path
) -> None:
    outcome = tallylens(
        "count", tmp_path, "--model", tiny_model, "--stills", "--report", tmp_path / "x.txt"
    )
    assert outcome.status == 2
    assert "unsupported report format '.txt'" in outcome.err
