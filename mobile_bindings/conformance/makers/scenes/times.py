"""Scenes of frames that are few, late or dropped: capture time counts."""

from __future__ import annotations

from typing import Any

from .film import ACROSS, DOWN, ONE_IN, case, counted, every, film, walker


def times() -> list[dict[str, Any]]:
    """Capture time, not frames."""
    kept = [t for i, t in enumerate(every(30, 3)) if i % 7 not in (1, 2, 4)]
    late = film([0.0, 0.1, 0.2, 0.1, 0.3, 0.3, 0.4, 0.5], walker([(0, 320, 300), (1, 320, 310)]))
    return [
        case(
            "five frames a second",
            "right counts at low frame rates",
            film(every(5, 3), walker(DOWN)),
            counted({"0": 1}, ONE_IN, ids=1, frames=15),
            lines=[ACROSS],
        ),
        case(
            "three of seven frames dropped",
            "tracking by time under dropped frames (supervision#1805)",
            film(kept, walker(DOWN)),
            counted({"0": 1}, ONE_IN, ids=1, frames=len(kept)),
            lines=[ACROSS],
        ),
        case(
            "frames too late and twice",
            "322 frames in, 295 out, nobody told (mediapipe-samples#295)",
            late,
            counted({"0": 1}, refused=[3, 5], frames=6),
        ),
        case(
            "a fast car at ten frames a second",
            "a jump of six own sizes a frame is not linked, and nothing is counted",
            film(every(10, 1), walker([(0.1, 30, 300), (0.6, 630, 300)], size=(20, 20))),
            counted({"0": 1}, ONE_IN, frames=10),
            lines=[{"a": [320, 480], "b": [320, 0]}],
        ),
    ]
