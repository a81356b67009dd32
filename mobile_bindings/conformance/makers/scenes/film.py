"""Parts of scenes: paths, boxes on them, frames, and expected results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

Box = tuple[float, float, float, float]
Path_ = Sequence[tuple[float, float, float]]  # (second, x, y) of the bottom center
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
