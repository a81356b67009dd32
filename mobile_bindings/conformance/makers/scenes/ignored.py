"""Scenes with ignored areas and sizes: such detections are neither tracked nor counted."""

from __future__ import annotations

from typing import Any

from .film import ACROSS, NOTHING, ONE_IN, case, counted, every, film, walker

LEFT = [[0, 0], [200, 0], [200, 480], [0, 480]]
BAND = [[0, 195], [640, 195], [640, 285], [0, 285]]  # around the line
TWO_IN = [{"in": {"0": 2}, "out": {}}]
DOWN_LEFT, DOWN_RIGHT = [(0, 100, 100), (3, 100, 400)], [(0, 500, 100), (3, 500, 400)]


def pair(small: tuple[float, float] = (40, 40), large: tuple[float, float] = (80, 80)) -> Any:
    """A small object at the left and a large one at the right, both downwards over the line."""
    return film(every(10, 3), walker(DOWN_LEFT, size=small), walker(DOWN_RIGHT, size=large))


def ignored() -> list[dict[str, Any]]:
    """All cases; a size is the square root of a box's area, in pixels."""
    inside = [walker([(0, 60, 200), (12, 60, 200)], jitter=1), walker(DOWN_RIGHT)]
    through = film(every(10, 3), walker([(0, 320, 100), (3, 320, 400)]))
    return [
        case(
            "one of two inside an ignored area",
            "mannequins, mirrors and a parked row are counted",
            pair(),
            counted({"0": 1}, ONE_IN, ids=1, ignored=30),
            lines=[ACROSS],
            ignore=[LEFT],
        ),
        case(
            "standing in an ignored area while others pass",
            "what is ignored still takes a track",
            film(every(10, 12), *inside),
            counted({"0": 1}, ONE_IN, ids=1, ignored=120),
            lines=[ACROSS],
            ignore=[LEFT],
        ),
        case(
            "smaller than the minimum",
            "birds and spots of light are counted",
            pair(),
            counted({"0": 1}, ONE_IN, ids=1, ignored=30),
            lines=[ACROSS],
            options={"min_size": 60},
        ),
        case(
            "larger than the maximum",
            "the whole scene as one box is counted",
            pair(),
            counted({"0": 1}, ONE_IN, ids=1, ignored=30),
            lines=[ACROSS],
            options={"max_size": 60},
        ),
        case(
            "exactly the limits",
            "limits belong to what is counted",
            pair(),
            counted({"0": 2}, TWO_IN, ids=2, ignored=0),
            lines=[ACROSS],
            options={"min_size": 40, "max_size": 80},
        ),
        case(
            "size is of the area, not of a side",
            "a long narrow box has the size of a square one",
            pair(small=(20, 80), large=(160, 40)),
            counted({"0": 1}, ONE_IN, ids=1, ignored=30),
            lines=[ACROSS],
            options={"min_size": 50},
        ),
        case(
            "two areas and a size",
            "one filter replaces another",
            film(
                every(10, 3),
                walker(DOWN_LEFT),
                walker(DOWN_RIGHT),
                walker([(0, 320, 100), (3, 320, 400)], size=(12, 12)),
            ),
            counted({}, NOTHING, ids=0, ignored=90),
            lines=[ACROSS],
            ignore=[LEFT, [[440, 0], [640, 0], [640, 480], [440, 480]]],
            options={"min_size": 20},
        ),
        case(
            "through an ignored band",
            "an object that is not detected for a moment keeps its identity",
            through,
            counted({"0": 1}, ONE_IN, ids=1, ignored=9),
            lines=[ACROSS],
            ignore=[BAND],
        ),
    ]
