"""Scenes of identities and classes."""

from __future__ import annotations

from typing import Any

from .film import ACROSS, DOWN, NOTHING, ONE_IN, case, counted, event, every, film, walker


def identities() -> list[dict[str, Any]]:
    """Identities and classes."""
    meet = [
        walker([(0, 300, 100), (3, 300, 400)], size=(60, 90), hidden=[(1.2, 1.9)]),
        walker([(0, 345, 400), (3, 345, 100)], size=(60, 90), hidden=[(1.3, 1.8)]),
    ]
    return [
        case(
            "hidden for two seconds",
            "an object that comes back gets a new id (17 ids for 8 people)",
            film(every(10, 6), walker([(0, 320, 130), (6, 320, 370)], hidden=[(2, 4)])),
            counted({"0": 1}, ONE_IN, ids=1),
            lines=[ACROSS],
        ),
        case(
            "two that meet on the line",
            "an id switch on the line is counted again",
            film(every(10, 3), *meet),
            counted({"0": 2}, [{"in": {"0": 1}, "out": {"0": 1}}], ids=2),
            lines=[ACROSS],
        ),
        case(
            "another class at the crossing",
            "the class is taken at the crossing frame (supervision#1960)",
            film(every(10, 3), walker(DOWN, label=lambda frame: 3 if 12 <= frame <= 16 else 1)),
            counted({"1": 1}, [{"in": {"1": 1}, "out": {}}], ids=1),
            lines=[ACROSS],
        ),
        case(
            "a class that proves wrong after the crossing",
            "what was counted under the first class stays there",
            film(
                every(10, 4),
                walker([(0, 320, 190), (4, 320, 390)], label=lambda frame: 1 if frame < 13 else 2),
            ),
            counted(
                {"2": 1},
                [{"in": {"2": 1}, "out": {}}],
                events=[
                    event("confirmed", (0.2, 0.5), class_id=1),
                    event("crossed_in", (0.9, 1.1), 0, 1),
                    event("reclassified", (2.5, 3.2), class_id=2),
                ],
            ),
            lines=[ACROSS],
        ),
        case(
            "every frame another class",
            "with any class a thing is a thing",
            film(every(10, 3), walker(DOWN, label=lambda frame: frame % 4)),
            counted({"0": 1}, ONE_IN, ids=1),
            lines=[ACROSS],
            options={"any_class": True, "num_classes": 1},
        ),
        case(
            "flashes",
            "what is seen for a moment is no object",
            film(
                every(10, 4),
                *(
                    walker([(t, 80 + 130 * t, 300), (t + 0.1, 80 + 130 * t, 300)])
                    for t in (0.5, 1.5, 2.5)
                ),
            ),
            counted({}, NOTHING, ids=0, unconfirmed=3),
            lines=[ACROSS],
        ),
    ]
