"""`tallylens count`: what it prints and writes."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.support import squares
from tests.support.command_line import LINE, Run, assert_one_error

KEYS = ["source", "model", "engine", "frames", "seconds", "unique", "lines", "zones"]
KEYS += ["occupancy", "warnings", "speed", "interrupted"]
KEYS += ["started", "dropped", "skipped", "uncounted", "periods"]


def test_json_is_one_document_and_nothing_else(count: Run) -> None:
    outcome = count("--line", LINE, "--zone", "0,0.5,1,0.5,1,1,0,1,floor", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    document = json.loads(outcome.out)
    assert list(document) == KEYS
    assert document["frames"] == 30
    assert document["unique"] == {"car": 1, "person": 1}
    ways = {"in": "in", "out": "out"}
    assert document["lines"] == [
        {"name": "line 1", "in": {"car": 1}, "out": {"person": 1}, "directions": ways}
    ]
    (zone,) = document["zones"]
    assert list(zone) == ["name", "now", "entered", "dwell_s"]
    assert (zone["name"], zone["now"]) == ("floor", {"car": 1})
    assert list(zone["dwell_s"]) == ["mean", "max"]
    assert document["occupancy"][0] == [0.0, {"car": 1, "person": 1}]
    assert list(document["speed"]) == ["fps", "inference_ms", "host_ms"]


def test_the_same_input_gives_the_same_document(count: Run) -> None:
    def document(*more: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(count("--line", LINE, "--json", *more).out)
        del found["speed"]
        return found

    assert document() == document() == document("--workers", "1")


def test_the_table_is_on_stdout(count: Run) -> None:
    outcome = count("--line", LINE + ",gate")
    assert (outcome.status, outcome.err) == (0, "")
    rows = [[c.strip() for c in line.split("│")[1:-1]] for line in outcome.out.splitlines()]
    assert ["car", "1", "0", "1"] in rows
    assert ["person", "0", "1", "1"] in rows
    assert "crossing.mp4: 30 frames, 2.9 s" in outcome.out


def test_several_lines_and_any_class(count: Run) -> None:
    lines = [arg for text in (f"{LINE},a", "1,0.5,0,0.5,b") for arg in ("--line", text)]
    document = json.loads(count(*lines, "--any-class", "--json").out)
    assert document["unique"] == {"object": 2}
    assert [(line["name"], line["in"], line["out"]) for line in document["lines"]] == [
        ("a", {"object": 1}, {"object": 1}),
        ("b", {"object": 1}, {"object": 1}),
    ]


def test_the_anchor_decides_when_a_line_is_reached(count: Run) -> None:
    # The squares' lower edges come no higher than 24 of 128, their upper edges to 8.
    line = "0,0.1406,1,0.1406"
    for anchor, crossed in (
        ("bottom-center", {}),
        ("top-center", {"person": 1}),
        ("bottom-centre", {}),
        ("top-centre", {"person": 1}),
    ):
        document = json.loads(count("--line", line, "--anchor", anchor, "--json").out)
        assert document["lines"][0]["out"] == crossed, anchor


def test_only_objects_of_the_confidence_asked_for(count: Run) -> None:
    for confidence, unique in (("0.2", {"car": 1, "person": 1}), ("1", {})):
        document = json.loads(count("--line", LINE, "--confidence", confidence, "--json").out)
        assert document["unique"] == unique, confidence


def test_reports_and_video_are_written(count: Run, tmp_path: Path) -> None:
    report, table, video = (tmp_path / name for name in ("r.json", "r.csv", "out.mp4"))
    outcome = count("--line", LINE, "--report", report, "--report", table, "--annotate", video)
    assert outcome.status == 0
    assert json.loads(report.read_text())["unique"] == {"car": 1, "person": 1}
    assert table.read_text().splitlines()[1:] == [
        "unique,,,car,1",
        "unique,,,person,1",
        "line,line 1,in,car,1",
        "line,line 1,out,person,1",
    ]
    assert cv2.VideoCapture(str(video)).get(cv2.CAP_PROP_FRAME_COUNT) == 30
    assert sorted(tmp_path.iterdir()) == sorted([report, table, video])


def test_counts_by_interval_are_a_csv_report(count: Run, tmp_path: Path) -> None:
    table = tmp_path / "r.csv"
    outcome = count("--line", LINE, "--report", table, "--interval", "1s", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    rows = [row.split(",") for row in table.read_text().splitlines()]
    assert rows[0] == ["start", "end", "where", "name", "direction", "class", "count"]
    assert sum(int(row[6]) for row in rows[1:] if row[2:6] == ["unique", "", "", "car"]) == 1
    assert_one_error(count("--interval", "15m"), 2, "--interval is for CSV reports")
    assert_one_error(count("--interval", "15"), 2, "'15' is not an interval")


def test_events_are_rows_of_a_database(count: Run, tmp_path: Path) -> None:
    base = ("--line", LINE, "--json", "--state", tmp_path / "count.state")
    outcome = count(*base, "--sink", f"sqlite:///{tmp_path / 'counts.db'}")
    assert (outcome.status, outcome.err) == (0, "")
    with closing(sqlite3.connect(tmp_path / "counts.db")) as database:
        found = database.execute(
            "SELECT direction, class, count(*) FROM events WHERE event LIKE 'crossed%' "
            "GROUP BY direction, class ORDER BY class"
        ).fetchall()
    assert found == [("in", "car", 1), ("out", "person", 1)]
    assert list(tmp_path.glob("count.state.spool/*")) == []
    assert_one_error(count("--sink", "ftp://x"), 2, "the address of a sink is not valid")


def test_zero_says_why(count: Run) -> None:
    outcome = count("--line", "0,1,1,1,far")
    assert outcome.status == 0
    assert re.search(
        r"^note: far: no crossings; the closest object came within \d+ px$", outcome.out, re.M
    )


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["--line", "0,0,1"], 2, "--line '0,0,1': expected 4 coordinates, got 3"),
        (["--line", "0,0,nan,1"], 2, "invalid coordinate nan"),
        (["--zone", "0,0,1,1"], 2, "--zone '0,0,1,1': expected x,y of at least 3 corners"),
        (["--zone", "0,0,0,0,0,0"], 2, "the corners of a zone are collinear"),
        (["--classes", "carr"], 2, "unknown class 'carr'. Did you mean 'car'"),
        (["--classes", "car", "--any-class"], 2, "classes and any_class exclude each other"),
        (["--report", "counts.txt"], 2, "Use .json, .jsonl, .csv or .html"),
        (["--report", "no/such/folder/counts.csv"], 2, "does not exist. Make it first"),
        (["--annotate", "out.avi"], 2, "Use an .mp4 in a folder that exists"),
        (["--imgsz", "320"], 2, "--imgsz has no effect on squares.onnx"),
    ],
)
def test_count_refuses_before_it_counts(
    count: Run,
    arguments: list[str],
    status: int,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_one_error(count(*arguments), status, text)
    assert list(tmp_path.iterdir()) == []


def test_annotate_does_not_overwrite_its_source(count: Run, crossing: Path) -> None:
    before = crossing.read_bytes()
    assert_one_error(count("--annotate", crossing), 2, "is the source itself")
    assert crossing.read_bytes() == before


def test_a_report_that_is_a_folder(count: Run, tmp_path: Path) -> None:
    (tmp_path / "r.csv").mkdir()
    assert_one_error(count("--report", tmp_path / "r.csv"), 2, "r.csv is a folder")


def test_counts_are_shown_also_where_they_cannot_be_written(
    count: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "r.csv"))

    monkeypatch.setattr("tallylens.edge_runtime.reports.formats.write_all", full)
    outcome = count("--report", tmp_path / "r.csv", "--json")
    assert outcome.status == 3
    assert json.loads(outcome.out)["unique"] == {"car": 1, "person": 1}
    assert "No space left on device" in outcome.err


def test_counts_before_a_broken_frame_are_not_lost(
    tallylens: Run, tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index, picture in enumerate([*squares.scene()[:5], squares.scene()[0][:-8]]):
        cv2.imwrite(str(folder / f"{index}.png"), picture)
    outcome = tallylens(
        "count", folder, "--model", tiny_model, "--json", "--report", tmp_path / "r.json"
    )
    assert outcome.status == 3
    assert outcome.err.endswith(
        "Count images of one size at a time, or unrelated photos with --stills.\n"
    )
    document = json.loads(outcome.out)
    assert (document["frames"], document["interrupted"]) == (5, True)
    assert "frame 5 is" in document["warnings"][0]
    assert json.loads((tmp_path / "r.json").read_text()) == document
