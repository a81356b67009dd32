"""Scenes of visits in polygons."""

from __future__ import annotations

from typing import Any

from .film import ACROSS, NOTHING, SQUARE, case, counted, event, every, film, walker


def zones() -> list[dict[str, Any]]:
    """Visits in polygons."""
    through = [(0, 100, 250), (2, 320, 250), (5, 320, 250), (7, 560, 250)]
    legs = {
        "corners": [
            [100, 100],
            [540, 100],
            [540, 400],
            [400, 400],
            [400, 200],
            [240, 200],
            [240, 400],
            [100, 400],
        ]
    }
    return [
        case(
            "in, a stay and out",
            "dwell by capture time",
            film(every(10, 7), walker(through)),
            counted(
                {"0": 1},
                zones=[
                    {"entered": {"0": 1}, "left": {"0": 1}, "now": {}, "max_dwell_s": [4.9, 5.3]}
                ],
                events=[
                    event("confirmed", (0.2, 0.5)),
                    event("entered", (0.8, 1.2), 0),
                    event("left", (5.9, 6.3), 0),
                ],
            ),
            zones=[SQUARE],
        ),
        case(
            "too short a stay",
            "a least dwell",
            film(every(10, 7), walker(through)),
            counted(
                {"0": 1}, zones=[{"entered": {}, "left": {}, "now": {}, "max_dwell_s": [0, 0]}]
            ),
            zones=[{**SQUARE, "least_dwell_s": 6}],
        ),
        case(
            "through both legs of a concave zone",
            "any polygon",
            film(every(10, 8), walker([(0, 60, 330), (8, 580, 330)])),
            counted(
                {"0": 1},
                zones=[
                    {"entered": {"0": 2}, "left": {"0": 2}, "now": {}, "max_dwell_s": [1.9, 2.4]}
                ],
            ),
            zones=[legs],
        ),
        case(
            "a period ends while someone stays",
            "scheduled reset, save and restore (norfair#267)",
            film(
                every(10, 6),
                walker([(0, 320, 250), (6, 320, 250)]),
                walker([(0, 100, 100), (2.5, 100, 400)]),
            ),
            counted(
                {},
                NOTHING,
                [{"entered": {}, "left": {}, "now": {"0": 1}, "max_dwell_s": [5.8, 6]}],
                ids=2,
            ),
            lines=[ACROSS],
            zones=[SQUARE],
            reset_before=35,
        ),
    ]
