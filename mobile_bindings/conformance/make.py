"""Writes counting.json: scenes with known truth, which every binding of the core must reproduce.

    python mobile_bindings/conformance/make.py

What is expected is written down here from the scene, never taken from the core's output. Each case
names the fault of other counters that it stands for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

Box = tuple[float, float, float, float]
Path_ = Sequence[tuple[float, float, float]]  # (second, x, y) of the bottom center
HERE = Path(__file__).parent
ACROSS = {"a": [0, 240], "b": [640, 240]}  # `in` is downwards
SQUARE = {"corners": [[200, 150], [440, 150], [440, 350], [200, 350]]}
WAVE = (0.0, 3.0, -2.0, 4.0, -4.0, 1.0, -3.0, 2.0)  # jitter in pixels, frame after frame


def at(path: Path_, seconds: float) -> tuple[float, float] | None:
    """The position on a path from station to station, None before and after."""
    for (t0, x0, y0), (t1, x1, y1) in pairwise(path):
        if t0 <= seconds <= t1:
            k = (seconds - t0) / (t1 - t0)
            return x0 + k * (x1 - x0), y0 + k * (y1 - y0)
    return None


def walker(
    path: Path_,
    size: tuple[float, float] = (40, 60),
    label: Callable[[int], int] = lambda _frame: 0,
    hidden: Sequence[tuple[float, float]] = (),
    jitter: float = 0.0,
    cut: Callable[[int], float] = lambda _frame: 0.0,
) -> Callable[[int, float], list[float] | None]:
    """A detection [x1, y1, x2, y2, confidence, class] per frame, cut at the frame's edges.

    `cut` is the share of its height that is missing below.
    """

    def box(frame: int, seconds: float) -> list[float] | None:
        place = at(path, seconds)
        if place is None or any(start <= seconds < end for start, end in hidden):
            return None
        x, y = place[0], place[1] + jitter * WAVE[frame % len(WAVE)]
        shown = (
            max(x - size[0] / 2, 0), max(y - size[1], 0),
            min(x + size[0] / 2, 640), min(y - cut(frame) * size[1], 480),
        )  # fmt: skip
        if shown[2] - shown[0] < 0.3 * size[0] or shown[3] - shown[1] < 0.3 * size[1]:
            return None
        return [*(round(v, 1) for v in shown), 0.8, label(frame)]

    return box


def film(times: Sequence[float], *walkers: Callable[[int, float], list[float] | None]) -> Any:
    """Frames as [timestamp_ns, detections]."""
    return [
        [round(t * 1e9), [b for b in (w(i, t) for w in walkers) if b is not None]]
        for i, t in enumerate(times)
    ]


def every(fps: float, seconds: float) -> list[float]:
    """Even times."""
    return [i / fps for i in range(int(seconds * fps))]


def event(kind: str, when: tuple[float, float], place: int = -1, class_id: int = 0) -> Any:
    """An event within a span of seconds."""
    return {"kind": kind, "place": place, "class_id": class_id, "seconds": list(when)}


def counted(
    unique: Any, lines: Any = (), zones: Any = (), events: Any = None, **more: Any
) -> dict[str, Any]:
    """Expected results; totals by class id, zeros omitted."""
    found: dict[str, Any] = {"unique": unique, "lines": list(lines), "zones": list(zones), **more}
    return found if events is None else {**found, "events": events}


def case(name: str, fault: str, frames: Any, expected: Any, **how: Any) -> dict[str, Any]:
    """One case; the frame is 640x480, classes are 0 to 3."""
    return {"name": name, "fault": fault, **how, "frames": frames, "expected": expected}


DOWN = [(0, 320, 100), (3, 320, 400)]  # over y 240 at 1.4 s
ONE_IN = [{"in": {"0": 1}, "out": {}}]
ONE_OUT = [{"in": {}, "out": {"0": 1}}]
NOTHING: list[dict[str, dict[str, int]]] = [{"in": {}, "out": {}}]


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


def main() -> None:
    """Write the file, one paragraph per case and one line per frame."""
    cases = [*crossings(), *identities(), *times(), *zones(), *evidence()]
    parts = []
    for one in cases:
        frames = ",\n".join("   " + json.dumps(f, separators=(",", ":")) for f in one["frames"])
        head = ",\n".join(
            f"  {json.dumps(key)}: {json.dumps(value)}"
            for key, value in one.items()
            if key != "frames"
        )
        parts.append(f' {{\n{head},\n  "frames": [\n{frames}\n  ]\n }}')
    document = '{"version": 1, "cases": [\n' + ",\n".join(parts) + "\n]}\n"
    json.loads(document)
    (HERE / "counting.json").write_text(document, encoding="utf-8")


if __name__ == "__main__":
    main()
