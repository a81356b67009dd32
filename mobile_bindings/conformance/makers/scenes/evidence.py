"""Scenes of imperfect boxes, standing objects, narrow zones and dense traffic."""

from __future__ import annotations

from typing import Any

from .film import ACROSS, NOTHING, SQUARE, case, counted, every, film, walker


def evidence() -> list[dict[str, Any]]:
    """Imperfect boxes, standing objects, narrow zones and dense traffic."""
    behind = [
        walker([(0.6 * k, 320, 20), (0.6 * k + 2.6, 320, 540)], size=(60, 45)) for k in range(5)
    ]
    narrow = {"corners": [[300, 100], [340, 100], [340, 400], [300, 400]]}
    return [
        case(
            "a lower edge that flickers over the line",
            "one wrong box is a crossing, and the next one back is another",
            film(
                every(30, 3),
                walker(
                    [(0, 320, 232), (3, 320, 232)],
                    size=(60, 160),
                    cut=lambda frame: -0.6 if frame in (30, 50, 70) else 0,
                ),
            ),
            counted({"0": 1}, NOTHING, ids=1),
            lines=[ACROSS],
        ),
        case(
            "half hidden across the line",
            "a person behind others is now a whole, now an upper-body box",
            film(
                every(30, 6),
                walker(
                    [(0, 320, 280), (6, 320, 280)],
                    size=(60, 160),
                    cut=lambda frame: 0.5 if frame >= 30 and frame // 15 % 2 else 0,
                ),
            ),
            counted({"0": 1}, NOTHING, ids=1),
            lines=[ACROSS],
        ),
        case(
            "parked, hidden twice for five seconds",
            "a parked car behind a truck is counted again",
            film(
                every(10, 18),
                walker(
                    [(0, 320, 260), (18, 320, 260)],
                    size=(120, 70),
                    hidden=[(3, 8), (10, 15)],
                    jitter=0.5,
                ),
            ),
            counted({"0": 1}, NOTHING, ids=1),
            lines=[ACROSS],
        ),
        case(
            "through a narrow zone between two frames",
            "a zone misses what is never seen inside",
            film(every(30, 1), walker([(0, 40, 250), (0.3, 580, 250)], size=(60, 60))),
            counted(
                {"0": 1},
                zones=[{"entered": {"0": 1}, "left": {"0": 1}, "now": {}, "max_dwell_s": [0, 0.1]}],
            ),
            zones=[narrow],
        ),
        case(
            "standing on the outline of a zone",
            "jitter on the outline is visit after visit",
            film(
                every(10, 22),
                walker([(0, 320, 350), (20, 320, 350), (22, 320, 460)], jitter=1),
            ),
            counted(
                {"0": 1},
                zones=[
                    {"entered": {"0": 1}, "left": {"0": 1}, "now": {}, "max_dwell_s": [18.5, 21]}
                ],
            ),
            zones=[SQUARE],
        ),
        case(
            "one behind the other out of the frame",
            "the vehicle behind takes the identity of the one that has left",
            film(every(15, 6), *behind),
            counted({"0": 5}, [{"in": {"0": 5}, "out": {}}], ids=5),
            lines=[{"a": [0, 360], "b": [640, 360]}],
        ),
    ]
