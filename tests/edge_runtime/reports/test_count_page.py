"""The page: whole in one file, and nothing in it is anything but text, whatever names say."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens import Counter, Line, Report, Zone
from tallylens.edge_runtime.counting.history import COLUMNS, History
from tallylens.edge_runtime.counting.report import LineReport, Speed, ZoneReport
from tallylens.edge_runtime.reports.charts import MAX_BARS, bar_seconds, clock
from tallylens.edge_runtime.reports.count_page import to_html
from tallylens.edge_runtime.reports.overlay import heat_png
from tests.support import squares

EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(2)>&amp;'${title}"
VOID = {"meta", "link", "img", "br", "hr", "input", "image", "use", "rect", "line", "polygon"}


class Page(HTMLParser):
    """Tags, attributes and text; fails where tags do not match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attributes]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def report_of(name: str, **more: Any) -> Report:
    return Report(
        source=name,
        model=name,
        engine=name,
        frames=1234,
        seconds=75.0,
        unique={name: 4321},
        lines=(LineReport(name, {name: 3}, {}, name, f"{name} out"),),
        zones=(ZoneReport(name, {}, {name: 2}, 3.14, 5.0),),
        occupancy=((0.0, {name: 2}), (70.0, {name: 1})),
        warnings=(name,),
        speed=Speed(25.0, 9.5, 0.31),
        **more,
    )


def test_the_page_of_a_real_count(tiny_model: Path, crossing: Path) -> None:
    line = Line(0, 0.5, 1, 0.5, "road", "southbound", "northbound")
    zone = Zone(((0, 0.5), (1, 0.5), (1, 1), (0, 1)), "yard")
    with Counter(tiny_model, lines=[line], zones=[zone]) as counter:
        report = counter.run(crossing)
    page = Page(to_html(report))
    for shown in ("Count of crossing.mp4", "road, southbound", "southbound 1", "northbound 1"):
        assert shown in page.text
    for part in (
        "Totals by class",
        "Crossings",
        "Maximum in view at once",
        "Events",
        "yard entered 2",
    ):
        assert part in page.text
    assert page.tags.count("svg") == 4
    assert page.tags.count("image") == 2, "the frame once, and the heat"
    assert "crossed in" in page.text


def test_nothing_is_fetched_and_nothing_runs(tiny_model: Path, crossing: Path) -> None:
    with Counter(tiny_model, lines=[Line(0, 0.5, 1, 0.5, EVIL, EVIL, "b")]) as counter:
        report = replace(counter.run(crossing), source=EVIL, warnings=(EVIL,))
    page = Page(to_html(report))
    assert not {"script", "iframe", "object", "embed", "link", "img", "a"} & set(page.tags)
    for name, value in page.attributes:
        assert not name.startswith("on")
        if name in ("href", "src", "action"):
            assert re.match(r"#|data:image/(png|jpeg);base64,", value)
    assert ("content", "default-src 'none'; img-src data:; style-src 'unsafe-inline'") in (
        page.attributes
    )
    assert EVIL in page.text


@given(st.text(max_size=40))
def test_any_name_is_only_text(name: str) -> None:
    plain, strange = Page(to_html(report_of("plain"))), Page(to_html(report_of(name)))
    assert strange.tags == plain.tags
    assert [one for one, _ in strange.attributes] == [one for one, _ in plain.attributes]


def test_numbers_are_there() -> None:
    uncounted = {
        "weak_detections": 5,
        "short_tracks": 2,
        "longest_short_track_s": 0.2,
        "other_classes": {"boat": 1000},
    }
    text = Page(to_html(report_of("car", dropped=3, skipped=4, uncounted=uncounted))).text
    assert "Not counted 1,000 detections of boat, a class that was not asked for" in text
    assert "2 tracks too short or uncertain, the longest 0.20 s" in text
    assert "5 detections below the minimum" in text
    assert "4 frames skipped" in text
    assert "3 live frames" in text
    assert "4,321" in text
    assert "1,234 frames · 1:15 of video" in text
    assert "3.1 s" in text


def test_long_names_of_hidden_characters_are_shown() -> None:
    assert "\\u202e" in to_html(report_of("evil\u202efdp.exe"))


@pytest.mark.parametrize(
    ("seconds", "width"), [(0, 1), (10, 1), (119, 1), (120, 2), (3600, 60), (86_400, 900)]
)
def test_the_width_of_a_bar(seconds: float, width: int) -> None:
    assert bar_seconds(seconds) == width


@given(st.floats(0, 1e9))
def test_there_are_never_too_many_bars(seconds: float) -> None:
    assert seconds / bar_seconds(seconds) <= MAX_BARS


def test_clock() -> None:
    assert [clock(s) for s in (0, 3.44, 59.9, 60, 3599, 3600, 90_061)] == [
        "0.0 s",
        "3.4 s",
        "59.9 s",
        "1:00",
        "59:59",
        "1:00:00",
        "25:01:01",
    ]


def test_the_heat_map_is_transparent_where_no_object_went() -> None:
    heat = np.zeros((54, COLUMNS), np.uint32)
    heat[10:13, 20:23], heat[40:43, 60:63] = 1, 100
    image = cv2.imdecode(np.frombuffer(heat_png(heat), np.uint8), cv2.IMREAD_UNCHANGED)
    assert image is not None
    assert image.shape == (54, COLUMNS, 4)
    assert image[30, 5, 3] == 0
    assert 0 < image[11, 21, 3] < image[41, 61, 3]
    assert image[11, 21, :3].sum() < image[41, 61, :3].sum()


def test_paths_mark_what_they_pass(tiny_model: Path) -> None:
    """A walk leaves a line without gaps; standing adds nothing."""

    def heat(pictures: list[Any]) -> Any:
        with Counter(tiny_model) as counter:
            history = counter.run(squares.timed(pictures)).history
        assert history is not None
        return history.heat

    slow = heat(squares.scene([squares.DOWN], 40))
    column = round(32 / squares.SIDE * COLUMNS)
    assert set(np.flatnonzero(slow.any(axis=0))) <= set(range(column - 2, column + 3))
    walked = slow[:, column - 2 : column + 3].sum(axis=1)
    assert (walked[30:80] >= 1).all()
    assert slow.max() <= 2
    standing = heat(squares.scene([squares.Walker(squares.RED, (64, 64), (64, 64))], 40))
    assert standing.sum() == 1


def test_history_is_bounded() -> None:
    history = History((1280, 720))
    assert history.heat.shape == (54, COLUMNS)
    assert History((100, 1)).heat.shape == (1, COLUMNS)
    assert history.events.maxlen == 1000
    assert history.picture() is None
