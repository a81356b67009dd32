"""Drawn regions as options: quoted for shells, and read back as they were drawn."""

from __future__ import annotations

import shlex

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens import Line
from tallylens.pick.drawing import (
    KINDS,
    DrawnRegion,
    as_options,
    parse_region,
    quoted,
    read_regions,
)

FRACTIONS = st.floats(0, 1).map(lambda value: round(value, 4))
POINTS = st.tuples(FRACTIONS, FRACTIONS)
NAMES = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), max_size=30)


@given(start=POINTS, end=POINTS, name=NAMES)
def test_an_accepted_line_is_read_back_as_it_was_drawn(
    start: tuple[float, float], end: tuple[float, float], name: str
) -> None:
    drawn = DrawnRegion("line", (start, end), name)
    if drawn.problem() is not None:
        assert as_options([drawn]) == []
        return
    options = shlex.split(quoted(as_options([drawn]), windows=False))
    assert options[0] == "--line"
    line = Line.parse(options[1])
    assert ((line.x1, line.y1), (line.x2, line.y2)) == (start, end)
    assert line.name == ",".join(part.strip() for part in name.split(","))
    assert (line.in_name, line.out_name, line.extend) == ("in", "out", False)


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("", True),
        ('it\'s "the" $HOME `road`; rm -rf *', True),
        ("-x", True),
        ("main road, north", True),
        ("extend", False),
        ("in=south", False),
        ("out=", False),
        ("7", False),
        ("nan", False),
        ("1e3,road", False),
    ],
)
def test_names_with_another_meaning_are_explained(name: str, accepted: bool) -> None:
    drawn = DrawnRegion("line", ((0, 0.5), (1, 0.5)), name)
    problem = drawn.problem()
    assert (problem is None) == accepted, problem
    if accepted:
        (_, argument) = as_options([drawn])
        assert Line.parse(argument).name == name.replace(", ", ",")


def test_a_name_that_a_zone_would_take_for_a_dwell_time_is_explained() -> None:
    drawn = DrawnRegion("zone", ((0, 0), (1, 0), (1, 1)), "dwell=3")
    assert drawn.problem() == "the name 'dwell=3' has another meaning there. Use another name."


def test_options_are_quoted_for_the_shells_of_both_systems() -> None:
    options = ["--line", "0,0.5,1,0.5,main road"]
    assert quoted(options, windows=False) == "--line '0,0.5,1,0.5,main road'"
    assert quoted(options, windows=True) == '--line "0,0.5,1,0.5,main road"'


@pytest.mark.parametrize(
    ("kind", "argument", "expected"),
    [
        ("line", "0,0.6,1,0.6", "0,0.6,1,0.6"),
        ("line", "0,216,640,216,road,in=a,out=b,extend", "0,0.6,1,0.6,road,in=a,out=b,extend"),
        ("zone", "0,0,320,0,320,180,queue,dwell=5", "0,0,0.5,0,0.5,0.5,queue,dwell=5"),
        ("line", " 0 , 0.6 , 1 , 0.6 , in=a , my, road ", "0,0.6,1,0.6,my,road,in=a"),
    ],
)
def test_given_options_become_fractions_and_keep_their_details(
    kind: str, argument: str, expected: str
) -> None:
    region = parse_region(kind, argument, (640, 360))
    assert region.argument == expected
    assert region.problem() is None
    document = {"regions": [region.as_dict()]}
    assert read_regions(document) == [region]
    given_px, read_px = (
        np.array(KINDS[kind](text).to_pixels((640, 360))) for text in (argument, expected)
    )
    np.testing.assert_allclose(read_px, given_px, atol=0.05)
