from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens import Line, UsageError, Zone
from tallylens.edge_runtime.counting.region import MAX_COORDINATE, Region, in_pixels
from tallylens.edge_runtime.counting.regions import place_regions

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
        ("-5,1e2,+7,5.", Line(-5, 100, 7, 5.0)),
    ],
)
def test_lines(text: str, line: Line) -> None:
    assert Line.parse(text) == line


def test_zones() -> None:
    triangle = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
    assert Zone.parse("0,0,1,0,0,1") == Zone(triangle)
    assert Zone.parse("0,0,1,0,0,1,queue") == Zone(triangle, "queue")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "0,0,1",
            "--line '0,0,1': expected 4 coordinates, got 3. Use x1,y1,x2,y2[,name].",
        ),
        (
            "0,0,1,1,5",
            "--line '0,0,1,1,5': expected 4 coordinates, got 5. Use x1,y1,x2,y2[,name].",
        ),
        (
            "gate",
            "--line 'gate': expected 4 coordinates, got 0. Use x1,y1,x2,y2[,name].",
        ),
        (
            "",
            "--line '': expected 4 coordinates, got 0. Use x1,y1,x2,y2[,name].",
        ),
        ("2,3,2,3", "the line from 2,3 to itself has no length. Use two different ends."),
        (
            "nan,0,1,1",
            "invalid coordinate nan. Use fractions from 0 to 1, or pixels of the frame.",
        ),
        (
            "0,0,-inf,1",
            "invalid coordinate -inf. Use fractions from 0 to 1, or pixels of the frame.",
        ),
        (
            "0,0,1e30,1",
            "invalid coordinate 1e+30. Use fractions from 0 to 1, or pixels of the frame.",
        ),
    ],
)
def test_bad_lines_word_for_word(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Line.parse(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "0,0,1,1",
            "--zone '0,0,1,1': expected x,y of at least 3 corners, got 4 numbers. "
            "Use x1,y1,x2,y2,x3,y3[,...][,name].",
        ),
        (
            "0,0,1,1,0,1,5,queue",
            "--zone '0,0,1,1,0,1,5,queue': expected x,y of at least 3 corners, got 7 numbers. "
            "Use x1,y1,x2,y2,x3,y3[,...][,name].",
        ),
        (
            "0,0,0.5,0.5,1,1",
            "the corners of a zone are collinear. Use corners around an area.",
        ),
        (
            "1,1,1,1,1,1",
            "the corners of a zone are collinear. Use corners around an area.",
        ),
        (
            "0,0,1,1,0,nan",
            "invalid coordinate nan. Use fractions from 0 to 1, or pixels of the frame.",
        ),
    ],
)
def test_bad_zones_word_for_word(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Zone.parse(text)
    assert str(caught.value) == message


def test_a_zone_has_at_most_a_thousand_corners() -> None:
    turns = [2 * math.pi * i / 1001 for i in range(1001)]
    circle = [(math.cos(turn), math.sin(turn)) for turn in turns]
    Zone(tuple(circle[:1000])).check()
    with pytest.raises(UsageError, match=r"a zone has 1001 corners\. Use 3 to 1000 corners"):
        Zone(tuple(circle)).check()


@given(points, points, st.one_of(st.just(""), names))
def test_a_written_line_is_read_back(
    start: tuple[float, float], end: tuple[float, float], name: str
) -> None:
    values = [*start, *end]
    spans = [(start[0], end[0]), (start[1], end[1])]
    whole = any(a != b and min(a, b) >= 0 and max(a, b) <= 1 for a, b in spans)
    mixed = max(values) > 1 and (whole or any(0 < value < 1 for value in values))
    if start == end or mixed:
        return
    line = Line.parse(written([*start, *end], name))
    assert (line.x1, line.y1, line.x2, line.y2) == (*start, *end)
    assert line.name == ",".join(part.strip() for part in name.split(","))


@given(st.lists(coordinates, max_size=12), st.one_of(st.just(""), names))
def test_any_numbers_are_a_zone_or_a_usage_error(values: list[float], name: str) -> None:
    try:
        zone = Zone.parse(written(values, name))
    except UsageError:
        return
    assert [value for point in zone.points for value in point] == values
    assert len(values) >= 6


@given(st.text(max_size=40))
def test_any_text_is_a_region_or_a_usage_error(text: str) -> None:
    for parse in (Line.parse, Zone.parse):
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
    assert in_pixels(given_points, (200, 100)) == tuple(pixels)


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
def test_directions_have_names_and_lines_may_extend(text: str, line: Line) -> None:
    assert Line.parse(text) == line


@pytest.mark.parametrize("text", ["0,0,1,1,in=", "0,0,1,1,in=a,out=a", "0,0,1,1,in=out"])
def test_two_directions_need_two_names(text: str) -> None:
    with pytest.raises(UsageError, match="the directions of a line are named"):
        Line.parse(text)


def test_a_minimum_dwell_time() -> None:
    corners = "0,0,1,0,1,1"
    assert Zone.parse(f"{corners},queue,dwell=2.5") == Zone(((0, 0), (1, 0), (1, 1)), "queue", 2.5)
    for wrong in ("dwell=", "dwell=-1", "dwell=nan", "dwell=soon"):
        with pytest.raises(UsageError, match="the minimum dwell time of a zone is"):
            Zone.parse(f"{corners},{wrong}")


@pytest.mark.parametrize(
    ("region", "kinds"),
    [
        (Line(0, 0.5, 1, 0.5), {"crossed_in": "in", "crossed_out": "out", "confirmed": None}),
        (
            Line(0, 0.5, 1, 0.5, in_name="south", out_name="north"),
            {"crossed_in": "south", "crossed_out": "north", "entered": None},
        ),
        (Zone(((0, 0), (1, 0), (1, 1))), {"entered": None, "left": None}),
    ],
)
def test_directions_of_events(region: Region, kinds: dict[str, str | None]) -> None:
    assert {kind: region.direction(kind) for kind in kinds} == kinds


@pytest.mark.parametrize(
    ("region", "others", "values", "text"),
    [
        (Line(0, 0, 1, 1), "", {"nearest": 12.4}, "the closest object came within 12 px"),
        (Line(0, 0, 1, 1), "", {"nearest": -1.0}, "no object was tracked near it"),
        (Line(0, 0, 1, 1), "2 bus", {"nearest": 0.0}, "by the chosen classes, but by 2 bus"),
        (Zone(((0, 0), (1, 0), (1, 1))), "", {}, "no object was in it"),
        (Zone(((0, 0), (1, 0), (1, 1))), "2 bus", {}, "by the chosen classes, but by 2 bus"),
    ],
)
def test_a_zero_is_explained(
    region: Region, others: str, values: dict[str, float], text: str
) -> None:
    assert region.explain_zero(others, values).endswith(text)


@pytest.mark.parametrize("text", ["0,0.6,640,0.6", "10,0.5,11,300"])
def test_fractions_mixed_with_pixels_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"mix fractions with pixels\. Use fractions from 0 to 1"):
        Line.parse(text)
    with pytest.raises(UsageError, match="mix fractions with pixels"):
        Zone.parse(f"{text},5,7")


@pytest.mark.parametrize("text", ["0,200,1,200", "200,1,200,0"])
def test_a_line_over_the_whole_frame_is_not_one_pixel_long(text: str) -> None:
    with pytest.raises(UsageError, match="1 and 200 mix fractions with pixels"):
        Line.parse(text)


@pytest.mark.parametrize("text", ["0,0,0,720", "1,0,1,720", "0,1,640,1"])
def test_a_line_along_the_edge_of_the_frame_is_in_pixels(text: str) -> None:
    line = Line.parse(text)
    assert line.to_pixels((640, 720)) == ((line.x1, line.y1), (line.x2, line.y2))


@pytest.mark.parametrize("text", ["0,0,1,1,1,0,0,1", "10,10,90,90,90,10,10,90"])
def test_a_zone_whose_sides_cross_is_refused(text: str) -> None:
    message = r"the sides of a zone cross\. Give its corners in their order around the area"
    with pytest.raises(UsageError, match=message):
        Zone.parse(text)


@pytest.mark.parametrize("text", ["0,0,1,0,1,1,0.5,0.5,0,1", "0,0,1,0,1,1,0,0,0.5,1"])
def test_a_notch_and_sides_that_touch_are_allowed(text: str) -> None:
    Zone.parse(text).check()


@pytest.mark.parametrize(
    "region",
    [
        Line(0, 700, 640, 700, "road"),
        Line(-9, 0, -5, 300, "road"),
        Zone(((700, 0), (800, 0), (800, 90)), "road"),
        Zone(((-0.5, 0), (-0.1, 0), (-0.1, 1)), "road"),
    ],
)
def test_a_region_outside_the_frame_is_refused(region: Region) -> None:
    message = r"road is outside the frame, which has 640x360 pixels\. Use x,y from the upper left"
    with pytest.raises(UsageError, match=message):
        place_regions([region], (640, 360))


def test_a_region_that_reaches_into_the_frame_is_placed() -> None:
    regions: list[Region] = [
        Line(-50, 100, 20, 100),
        Line(0, 700, 640, 700, extend=True),
        Zone(((600, 300), (900, 300), (900, 900), (600, 900))),
    ]
    assert len(place_regions(regions, (640, 360))) == 3
