"""The scene of people that the phones count, in Python; saved as a phone saves it.

    python -m tests.support.phone_walk STATE FIRST_FRAME LAST_FRAME

As KillMain.kt and Walk.swift: each second a person appears above the line and crosses it. Counts
the frames, saves every five seconds of capture time, and prints how many crossed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from tallylens import Detections, Line
from tallylens.edge_runtime.counting.saved_count import SavedCount
from tallylens.edge_runtime.counting.session import CountSession
from tallylens.testing import FakeDetector
from tests.support.phone_state import PhoneState

FPS, SIZE, SAVE_S = 20, (640, 480), 5


def people(seconds: float) -> Detections:
    """Those in view at a time."""
    rows = []
    for person in (int(seconds), int(seconds) - 1):
        age = seconds - person
        if person >= 0 and age < 1.5:
            x, y = 60 + person % 5 * 120, 120 + 240 * age
            rows.append([x, y, x + 40, y + 60])
    return Detections(
        np.array(rows, np.float32).reshape(-1, 4),
        np.full(len(rows), 0.9, np.float32),
        np.zeros(len(rows), np.int32),
    )


def session(state: Path | None) -> CountSession:
    """A count of people, which resumes from `state` if it is there."""
    saved = None if state is None else SavedCount(PhoneState(state, SIZE))
    options: dict[str, Any] = {"lines": [Line(0, 0.5, 1, 0.5)], "saved": saved}
    return CountSession("camera", [FakeDetector()], ["person"], SIZE, **options)


def main(state: Path, first: int, last: int) -> int:
    """Count the frames; how many people crossed in all."""
    counting = session(state)
    for frame in range(first, last + 1):
        counting.update_detections(people(frame / FPS), frame / FPS)
        if frame % (SAVE_S * FPS) == 0:
            counting.counter.save()
    crossed: int = counting.report().as_dict()["lines"][0]["in"].get("person", 0)
    return crossed


if __name__ == "__main__":
    print("crossed", main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
