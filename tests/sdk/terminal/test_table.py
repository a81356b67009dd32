"""The table of a terminal, in 80 columns."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from tallylens.edge_runtime.counting.report import LineReport, Report, Speed, ZoneReport
from tallylens.terminal.table import print_report


def show(width: int = 80, **places: Any) -> str:
    report = Report(
        source="street.mp4",
        model="m.tflite",
        engine="engine",
        frames=places.get("frames", 250),
        seconds=10.0,
        unique={"car": 3, "bus": 1},
        lines=places.get("lines", ()),
        zones=places.get("zones", ()),
        occupancy=(),
        warnings=("it is dark",),
        speed=Speed(25.0, 9.5, 0.31),
    )
    out = io.StringIO()
    print_report(report, Console(file=out, width=width))
    return out.getvalue()


def cells(text: str) -> list[list[str]]:
    rows = [line for line in text.splitlines() if line.startswith(("│", "┃"))]
    return [[cell.strip() for cell in row.strip("│┃").replace("┃", "│").split("│")] for row in rows]


def test_a_row_a_class() -> None:
    text = show(lines=(LineReport("road", {"car": 2}, {"bus": 1}),))
    assert text.startswith("street.mp4: 250 frames, 10.0 s\n")
    assert cells(text) == [
        ["class", "road in", "road out", "unique objects"],
        ["car", "2", "0", "3"],
        ["bus", "0", "1", "1"],
        ["total", "2", "1", "4"],
    ]
    assert text.endswith(
        "25 frames/s with engine (inference 9.5 ms, pre/post-processing 0.31 ms per frame)\n"
        "note: it is dark\n"
    )


def test_many_places_are_rows_that_fit() -> None:
    lines = tuple(LineReport(f"street number {i}", {"car": i}, {}) for i in range(4))
    zones = (ZoneReport("yard", {}, {"car": 1, "bus": 1}, 2.5, 4.0),)
    text = show(lines=lines, zones=zones)
    rows = cells(text)
    assert rows[0] == ["region", "total", "by class"]
    assert ["street number 3 in", "3", "3 car"] in rows
    assert ["street number 3 out", "0", ""] in rows
    assert ["yard entered", "2", "1 car, 1 bus"] in rows
    assert rows[-1] == ["unique objects", "4", "3 car, 1 bus"]
    assert "yard: mean dwell time 2.5 s, maximum dwell time 4.0 s\n" in text
    table = [line for line in text.splitlines() if line[0] in "┏┃┡│└"]
    assert len(table) == len(rows) + 3
    assert all(len(line) <= 80 for line in table)


def test_names_are_no_markup() -> None:
    text = show(lines=(LineReport("[red]gate[/red]", {}, {}),))
    assert "[red]gate[/red] in" in text


def test_a_narrow_terminal_gets_all_the_names_and_numbers() -> None:
    text = show(20, lines=(LineReport("pavement", {"car": 2}, {"bus": 1}),))
    assert "…" not in text
    assert max(map(len, text.partition("\n")[2].partition("25 frames/s")[0].splitlines())) <= 20
    together = "".join(row[0] for row in cells(text)).replace(" ", "")
    assert together == "regionpavementinpavementoutuniqueobjects"


def test_one_frame_is_one() -> None:
    assert show(frames=1).startswith("street.mp4: 1 frame, 10.0 s\n")
