from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest
from rich.console import Console

from tallylens import Report, UsageError
from tallylens.edge_runtime.counting.report import LineReport, Speed, ZoneReport
from tallylens.edge_runtime.errors import InputError
from tallylens.edge_runtime.reports.formats import check_report_paths, write_reports
from tallylens.terminal.table import print_report

REPORT = Report(
    source="street.mp4",
    model="yolov5n.pt",
    engine="onnxruntime-cpu",
    frames=265,
    seconds=10.98231,
    unique={"car": 4, "person": 1},
    lines=(
        LineReport("gate", {"car": 3}, {}, "southbound", "northbound"),
        LineReport("line 2", {}, {"car": 1}),
    ),
    zones=(ZoneReport("queue", {"person": 1}, {"person": 2}, 3.14159, 5.0),),
    occupancy=((0.0, {"car": 2}), (7.0, {"person": 1})),
    warnings=("line 2: a note",),
    speed=Speed(fps=23.45678, inference_ms=9.0001, host_ms=0.71239),
    dropped=7,
    skipped=2,
    uncounted={"short_tracks": 3},
)


def test_the_json_document_is_the_contract() -> None:
    assert json.loads(REPORT.to_json()) == {
        "source": "street.mp4",
        "model": "yolov5n.pt",
        "engine": "onnxruntime-cpu",
        "frames": 265,
        "seconds": 10.982,
        "unique": {"car": 4, "person": 1},
        "lines": [
            {
                "name": "gate",
                "in": {"car": 3},
                "out": {},
                "directions": {"in": "southbound", "out": "northbound"},
            },
            {
                "name": "line 2",
                "in": {},
                "out": {"car": 1},
                "directions": {"in": "in", "out": "out"},
            },
        ],
        "zones": [
            {
                "name": "queue",
                "now": {"person": 1},
                "entered": {"person": 2},
                "dwell_s": {"mean": 3.142, "max": 5.0},
            }
        ],
        "occupancy": [[0.0, {"car": 2}], [7.0, {"person": 1}]],
        "warnings": ["line 2: a note"],
        "speed": {"fps": 23.457, "inference_ms": 9.0, "host_ms": 0.712},
        "interrupted": False,
        "started": None,
        "dropped": 7,
        "skipped": 2,
        "uncounted": {"short_tracks": 3},
        "periods": [],
    }


ADDED = ("started", "dropped", "skipped", "uncounted", "periods")


def test_the_order_of_keys_is_the_contract_too() -> None:
    first = ["source", "model", "engine", "frames", "seconds", "unique", "lines", "zones"]
    assert list(REPORT.as_dict()) == [
        *first,
        "occupancy",
        "warnings",
        "speed",
        "interrupted",
        *ADDED,
    ]


def test_the_csv_has_one_row_a_number() -> None:
    assert REPORT.to_csv() == (
        "where,name,direction,class,count\n"
        "unique,,,car,4\n"
        "unique,,,person,1\n"
        "line,gate,southbound,car,3\n"
        "line,line 2,out,car,1\n"
        "zone,queue,now,person,1\n"
        "zone,queue,entered,person,2\n"
    )


def test_json_lines_are_the_rows_of_the_csv() -> None:
    rows = [json.loads(line) for line in REPORT.to_jsonl().splitlines()]
    table = list(csv.DictReader(io.StringIO(REPORT.to_csv())))
    assert [{**row, "count": str(row["count"])} for row in rows] == table


@pytest.mark.parametrize(
    ("evil", "inert"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", r"\t=1"),
        ("x\r=1", r"x\r=1"),
        ("x\n=1", r"x\n=1"),
        ('a,"b"', 'a,"b"'),
        ("ça va", "ça va"),
    ],
)
def test_names_are_no_formulas_and_no_rows_in_a_spreadsheet(evil: str, inert: str) -> None:
    report = _with(unique={evil: 1}, lines=(LineReport(evil, {evil: 2}, {}),), zones=())
    rows = list(csv.reader(io.StringIO(report.to_csv(), newline="")))[1:]
    assert rows == [["unique", "", "", inert, "1"], ["line", inert, "in", inert, "2"]]


def _with(**changes: object) -> Report:
    return Report(**{**vars(REPORT), **changes})


def test_reports_are_written_as_their_ending_says(tmp_path: Path) -> None:
    paths = [tmp_path / "a.json", tmp_path / "b.CSV"]
    check_report_paths(paths)
    write_reports(REPORT, paths)
    assert json.loads(paths[0].read_text()) == REPORT.as_dict()
    assert paths[1].read_text() == REPORT.to_csv()
    assert sorted(tmp_path.iterdir()) == paths


def test_a_source_whose_name_is_no_text(tmp_path: Path) -> None:
    report = _with(source=os.fsdecode(b"a\xff.mp4"))
    write_reports(report, [tmp_path / "a.json"])
    assert json.loads((tmp_path / "a.json").read_text())["frames"] == 265


def test_report_paths_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for path, message in (
        (
            tmp_path / "a.txt",
            "a.txt. Use .json, .jsonl, .csv or .html.",
        ),
        (tmp_path / "no" / "a.csv", "a.csv does not exist. Make it first."),
        (tmp_path / "folder.csv", "folder.csv is a folder. Use another name for the report."),
    ):
        with pytest.raises(UsageError) as caught:
            check_report_paths([path])
        assert str(caught.value).endswith(message)


def test_a_folder_without_leave_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Tests may run as root, which can write everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="its folder cannot be written to"):
        check_report_paths([tmp_path / "a.csv"])


def shown(report: Report) -> str:
    out = io.StringIO()
    print_report(report, Console(file=out, width=100))
    return out.getvalue()


def test_the_table_holds_every_number() -> None:
    text = shown(REPORT)
    assert "street.mp4: 265 frames, 11.0 s" in text
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines()]
    assert [row for row in rows if row] == [
        ["gate southbound", "3", "3 car"],
        ["gate northbound", "0", ""],
        ["line 2 in", "0", ""],
        ["line 2 out", "1", "1 car"],
        ["queue now", "1", "1 person"],
        ["queue entered", "2", "2 person"],
        ["unique objects", "5", "4 car, 1 person"],
    ]
    assert "queue: mean dwell time 3.1 s, maximum dwell time 5.0 s" in text
    assert (
        "23 frames/s with onnxruntime-cpu (inference 9.0 ms, pre/post-processing 0.71 ms per frame)"
        in text
    )
    assert "note: line 2: a note" in text


def test_names_in_the_table_are_no_markup_and_no_terminal_commands() -> None:
    text = shown(
        _with(
            source="a[/x].mp4",
            unique={"[/b]": 1, "\x1b[31mred": 2},
            lines=(LineReport("[bold]", {}, {}),),
            warnings=("1 [/c]",),
        )
    )
    assert "\x1b" not in text
    for name in ("a[/x].mp4", "[/b]", r"\x1b[31mred", "[bold] in", "note: 1 [/c]"):
        assert name in text


def test_long_notes_stay_on_one_line() -> None:
    note = "word " * 60
    assert f"note: {note}\n" in shown(_with(warnings=(note,)))
