from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens import Line, UsageError, Zone
from tallylens.edge_runtime.counting.regions import (
    MAX_COORDINATE,
    check_zone,
    in_pixels,
    parse_line,
    parse_zone,
)

coordinates = st.floats(-MAX_COORDINATE, MAX_COORDINATE, allow_subnormal=False)
points = st.tuples(coordinates, coordinates)
# A name that could be read as a number would be one more coordinate.
names = st.from_regex(r"[a-zA-Z_ ][a-zA-Z0-9_ ,.-]{0,10}[a-zA-Z]", fullmatch=True).filter(
    lambda name: name.split(",")[0].strip().lower() not in ("nan", "inf", "infinity", "")
)


def written(values: list[float], name: str) -> str:
    return ",".join([*map(repr, values), *([name] if name else [])])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("0,0.6,1,0.6", Line(0, 0.6, 1, 0.6)),
        (" 0 , 0.6 , 1 , 0.6 , gate ", Line(0, 0.6, 1, 0.6, "gate")),
        ("0,300,640,300,gate, north", Line(0, 300, 640, 300, "gate,north")),
        ("-5,1e2,+7,.5", Line(-5, 100, 7, 0.5)),
    ],
)
def test_lines(text: str, line: Line) -> None:
    assert parse_line(text) == line


def test_zones() -> None:
    triangle = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
    assert parse_zone("0,0,1,0,0,1") == Zone(triangle)
    assert parse_zone("0,0,1,0,0,1,queue") == Zone(triangle, "queue")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "0,0,1",
            "the line '0,0,1' has 3 coordinates. "
            "Give four and perhaps a name: --line x1,y1,x2,y2,name.",
        ),
        (
            "0,0,1,1,5",
            "the line '0,0,1,1,5' has 5 coordinates. "
            "Give four and perhaps a name: --line x1,y1,x2,y2,name.",
        ),
        (
            "gate",
            "the line 'gate' has 0 coordinates. "
            "Give four and perhaps a name: --line x1,y1,x2,y2,name.",
        ),
        (
            "",
            "the line '' has 0 coordinates. Give four and perhaps a name: --line x1,y1,x2,y2,name.",
        ),
        ("2,3,2,3", "the line from 2,3 to itself has no length. Give two different ends."),
        (
            "nan,0,1,1",
            "nan is no coordinate. Give fractions from 0 to 1, or pixels of the frame.",
        ),
        (
            "0,0,-inf,1",
            "-inf is no coordinate. Give fractions from 0 to 1, or pixels of the frame.",
        ),
        (
            "0,0,1e30,1",
            "1e+30 is no coordinate. Give fractions from 0 to 1, or pixels of the frame.",
        ),
    ],
)
def test_bad_lines_word_for_word(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_line(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "0,0,1,1",
            "the zone '0,0,1,1' has 4 coordinates. "
            "Give x and y of at least three corners: --zone x1,y1,x2,y2,x3,y3,name.",
        ),
        (
            "0,0,1,1,0,1,5,queue",
            "the zone '0,0,1,1,0,1,5,queue' has 7 coordinates. "
            "Give x and y of at least three corners: --zone x1,y1,x2,y2,x3,y3,name.",
        ),
        (
            "0,0,0.5,0.5,1,1",
            "the corners of a zone lie on one line. Give corners around an area.",
        ),
        (
            "1,1,1,1,1,1",
            "the corners of a zone lie on one line. Give corners around an area.",
        ),
        (
            "0,0,1,1,0,nan",
            "nan is no coordinate. Give fractions from 0 to 1, or pixels of the frame.",
        ),
    ],
)
def test_bad_zones_word_for_word(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_zone(text)
    assert str(caught.value) == message


def test_a_zone_has_at_most_a_thousand_corners() -> None:
    circle = [(math.cos(i), math.sin(i)) for i in range(1001)]
    check_zone(Zone(tuple(circle[:1000])))
    with pytest.raises(UsageError, match=r"a zone of 1001 corners\. Give 3 to 1000 corners"):
        check_zone(Zone(tuple(circle)))


@given(points, points, st.one_of(st.just(""), names))
def test_a_written_line_is_read_back(
    start: tuple[float, float], end: tuple[float, float], name: str
) -> None:
    if start == end:
        return
    line = parse_line(written([*start, *end], name))
    assert (line.x1, line.y1, line.x2, line.y2) == (*start, *end)
    assert line.name == ",".join(part.strip() for part in name.split(","))


@given(st.lists(coordinates, max_size=12), st.one_of(st.just(""), names))
def test_any_numbers_are_a_zone_or_a_usage_error(values: list[float], name: str) -> None:
    try:
        zone = parse_zone(written(values, name))
    except UsageError:
        return
    assert [value for point in zone.points for value in point] == values
    assert len(values) >= 6


@given(st.text(max_size=40))
def test_any_text_is_a_place_or_a_usage_error(text: str) -> None:
    for parse in (parse_line, parse_zone):
        with contextlib.suppress(UsageError):
            parse(text)


@pytest.mark.parametrize(
    ("given_points", "pixels"),
    [
        ([(0, 0.5), (1, 0.5)], [(0, 50), (200, 50)]),
        ([(0, 0), (1, 1)], [(0, 0), (200, 100)]),
        ([(0, 50), (200, 50)], [(0, 50), (200, 50)]),
        ([(0, 0), (1, 1.5)], [(0, 0), (1, 1.5)]),
        ([(-0.5, 0), (1, 1)], [(-100, 0), (200, 100)]),
    ],
)
def test_fractions_and_pixels(
    given_points: list[tuple[float, float]], pixels: list[tuple[float, float]]
) -> None:
    assert in_pixels(given_points, (200, 100)) == pixels


unit = st.floats(0, 1)


@given(
    st.lists(st.tuples(unit, unit), min_size=2, max_size=8),
    st.integers(2, 4000),
    st.integers(2, 4000),
)
def test_fractions_stay_in_the_frame(
    fractions: list[tuple[float, float]], width: int, height: int
) -> None:
    for (x, y), (u, v) in zip(in_pixels(fractions, (width, height)), fractions, strict=True):
        assert 0 <= x <= width
        assert 0 <= y <= height
        assert (x / width, y / height) == pytest.approx((u, v))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "0,0.6,1,0.6,road,in=southbound,out=northbound",
            Line(0, 0.6, 1, 0.6, "road", "southbound", "northbound"),
        ),
        ("0,0.6,1,0.6,extend", Line(0, 0.6, 1, 0.6, extend=True)),
        (
            "0,0.6,1,0.6,out=up,road, north,extend",
            Line(0, 0.6, 1, 0.6, "road,north", "in", "up", True),
        ),
        ("1,2,3,4,a=b", Line(1, 2, 3, 4, "a=b")),
    ],
)
def test_ways_have_names_and_lines_no_end(text: str, line: Line) -> None:
    assert parse_line(text) == line


@pytest.mark.parametrize("text", ["0,0,1,1,in=", "0,0,1,1,in=a,out=a", "0,0,1,1,in=out"])
def test_two_ways_need_two_names(text: str) -> None:
    with pytest.raises(UsageError, match="the two ways over a line are called"):
        parse_line(text)


def test_a_least_stay() -> None:
    corners = "0,0,1,0,1,1"
    assert parse_zone(f"{corners},queue,dwell=2.5") == Zone(((0, 0), (1, 0), (1, 1)), "queue", 2.5)
    for wrong in ("dwell=", "dwell=-1", "dwell=nan", "dwell=soon"):
        with pytest.raises(UsageError, match="the least stay in a zone is"):
            parse_zone(f"{corners},{wrong}")
