"""Scenes of lines."""

from __future__ import annotations

from typing import Any

from .film import ACROSS, NOTHING, ONE_IN, ONE_OUT, case, counted, event, every, film, walker


def crossings() -> list[dict[str, Any]]:
    """Lines."""
    cases = [
        case(
            "a jump over the line",
            "fast objects skip the band silently (ultralytics#25492)",
            film(
                every(25, 2),
                walker([(0, 320, 190), (0.4, 320, 200), (0.44, 320, 280), (2, 320, 300)]),
            ),
            counted(
                {"0": 1},
                ONE_IN,
                events=[event("confirmed", (0.2, 0.5)), event("crossed_in", (0.4, 0.48), 0)],
                ids=1,
            ),
            lines=[ACROSS],
        ),
        case(
            "standing on the line",
            "jitter is counted (supervision#2598)",
            film(every(10, 12), walker([(0, 320, 240), (12, 320, 240)], jitter=1)),
            counted({"0": 1}, NOTHING, ids=1),
            lines=[ACROSS],
        ),
        case(
            "stopping on the line, seen with gaps",
            "one car stopping on the line is counted 15 times (opendatacam#204)",
            film(
                every(10, 12),
                walker(
                    [(0, 320, 160), (2, 320, 240), (9, 320, 240), (11, 320, 330)],
                    size=(80, 60),
                    hidden=[(t, t + 0.4) for t in (2.5, 3.5, 4.5, 5.5, 6.5, 7.5)],
                    jitter=1,
                ),
            ),
            counted({"0": 1}, ONE_IN, ids=1),
            lines=[ACROSS],
        ),
        case(
            "there and back",
            "a U-turn counts one in and one out",
            film(every(10, 4), walker([(0, 320, 120), (2, 320, 340), (4, 320, 120)])),
            counted(
                {"0": 1},
                [{"in": {"0": 1}, "out": {"0": 1}}],
                events=[
                    event("confirmed", (0.2, 0.5)),
                    event("crossed_in", (1.0, 1.2), 0),
                    event("crossed_out", (2.8, 3.0), 0),
                ],
            ),
            lines=[ACROSS],
        ),
        case(
            "out of the picture behind the line",
            "nothing is counted near the frame's edge (supervision#1838)",
            film(every(10, 4), walker([(0, 320, 300), (2.6, 320, 560)], size=(60, 90))),
            counted({"0": 1}, ONE_IN),
            lines=[{"a": [0, 472], "b": [640, 472]}],
        ),
        case(
            "past the end of the segment",
            "a line is a segment",
            film(every(10, 3), walker([(0, 560, 100), (3, 560, 400)])),
            counted({"0": 1}, NOTHING, nearest=[[110, 130]]),
            lines=[{"a": [200, 240], "b": [440, 240]}],
        ),
        case(
            "past the end of an extended line",
            "a line drawn with extend has no end",
            film(every(10, 3), walker([(0, 560, 100), (3, 560, 400)])),
            counted({"0": 1}, ONE_IN),
            lines=[{"a": [200, 240], "b": [440, 240], "extend": True}],
        ),
        case(
            "never at the line",
            "why is my count zero? (supervision#1451)",
            film(every(10, 3), walker([(0, 320, 100), (1.5, 320, 200), (3, 320, 100)])),
            counted({"0": 1}, NOTHING, nearest=[[35, 50]]),
            lines=[ACROSS],
        ),
    ]
    ways = {
        "right": ([(0, 180, 240), (3, 460, 240)], ONE_OUT),
        "left": ([(0, 460, 240), (3, 180, 240)], ONE_IN),
    }
    for name, (path, lines) in ways.items():
        cases.append(
            case(
                f"to the {name} over a line drawn downwards",
                "directions are wrong (ultralytics#25103, #22464)",
                film(every(10, 3), walker(path)),
                counted({"0": 1}, lines),
                lines=[{"a": [320, 60], "b": [320, 440]}],
            )
        )
    return cases
