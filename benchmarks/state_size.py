"""Size of a saved count after days of a busy camera in simulated capture time, and its writes.

    python benchmarks/state_size.py [--days 30] [--json FILE]

A vehicle crosses two lines and a zone each minute, and without a pause in the last two hours;
totals are reset hourly. Writes per day are counted in an hour of a street with traffic, of one with
a parked car only, and of an empty one, at 10 frames per second.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tallylens import Detections, Line, Zone
from tallylens.edge_runtime.counting.reset_schedule import parse_schedule
from tallylens.edge_runtime.counting.saved_count import SavedCount
from tallylens.edge_runtime.counting.session import CountSession
from tallylens.edge_runtime.counting.state_file import StateFile
from tallylens.testing import FakeDetector

NAMES = ("car", "truck", "bus", "person")
SIZE = (1280, 720)
DAY_S, HOUR_S, BUSY_S, PASSAGE, FPS = 86_400, 3_600, 7_200, 12, 10


def passage(chance: random.Random) -> list[Detections]:
    """The frames of one object that goes down the image, beside others that stand."""
    x, kind = chance.randint(100, 1000), chance.randrange(len(NAMES))
    standing = [(20, 20, 90, 80), (150, 20, 220, 80)]
    frames = []
    for step in range(PASSAGE):
        y = 150 + step * 45 + chance.random()
        boxes = np.array([*standing, (x, y - 80, x + 120, y)], np.float32)
        scores = np.array([0.8, 0.8, 0.5 + chance.random() / 2], np.float32)
        frames.append(Detections(boxes, scores, np.array([0, 0, kind], np.int32)))
    return frames


def noise() -> Any:
    """An image that compresses badly, as foliage does."""
    return np.random.default_rng(1).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)


def measure(days: float, path: Path) -> dict[str, Any]:
    """Count the days, then save: bytes of the whole and of its parts."""
    chance = random.Random(1)
    session = CountSession(
        "camera",
        [FakeDetector(passage(chance)[:1])],
        NAMES,
        SIZE,
        lines=[Line(0, 0.5, 1, 0.5, "north"), Line(0, 0.7, 1, 0.7, "south")],
        zones=[Zone(((0, 0.5), (1, 0.5), (1, 1), (0, 1)), "yard")],
        saved=SavedCount(StateFile(path), 1e9),
        schedule=parse_schedule("hourly@00"),
        starts_at=0,
    )
    with session:
        session.update(noise(), timestamp_s=0.0)
        second, end = 60.0, days * DAY_S
        while second < end:
            for index, detections in enumerate(passage(chance)):
                session.update_detections(detections, second + index / 10)
            second += 60 if second < end - BUSY_S else 1.5
            if chance.random() < 1 / 60:
                session.counter.save()
        start = time.perf_counter()
        session.counter.save()
        took_ms = (time.perf_counter() - start) * 1e3
    document = json.loads(path.read_bytes().split(b"\n", 1)[1])
    history = document.pop("history")
    parts = {**document, **{f"history {name}": value for name, value in history.items()}}
    sizes = {name: len(json.dumps(value)) for name, value in parts.items()}
    return {
        "days": days,
        "state KiB": round(path.stat().st_size / 1024, 1),
        "ms per save": round(took_ms, 1),
        **{f"writes per day, {name}": writes_per_day(name) for name in SCENES},
        "parts": dict(sorted(sizes.items(), key=lambda one: -one[1])[:8]),
    }


class CountingStore:
    """Counts how often it is written."""

    name = "memory"

    def __init__(self) -> None:
        self.writes = 0

    def load(self) -> None:
        """Nothing was saved before."""

    def save(self, document: dict[str, Any]) -> None:
        """Count it."""
        del document
        self.writes += 1


def writes_per_day(scene: str) -> int:
    """Saves in an hour of simulated time, times 24."""
    chance, store = random.Random(2), CountingStore()
    now_s = 0.0
    session = CountSession(
        "camera",
        [FakeDetector(passage(chance)[:1])],
        NAMES,
        SIZE,
        lines=[Line(0, 0.5, 1, 0.5, "road")],
        saved=SavedCount(store, clock=lambda: now_s),
    )
    with session:
        frames: list[Detections] = []
        for index in range(HOUR_S * FPS):
            if not frames:
                frames = SCENES[scene](chance)
            now_s = index / FPS
            session.update_detections(frames.pop(0), now_s)
    return round(store.writes * DAY_S / HOUR_S)


def parked(chance: random.Random) -> list[Detections]:
    """A car that stands, in a noisy box that is missed now and then."""
    if chance.random() < 0.05:
        return [Detections.empty()]
    box = np.array([[300, 300, 500, 420]], np.float32)
    box += np.array([[chance.gauss(0, 3) for _ in range(4)]], np.float32)
    return [Detections(box, np.array([0.8], np.float32), np.zeros(1, np.int32))]


SCENES: dict[str, Callable[[random.Random], list[Detections]]] = {
    "busy": passage,
    "parked": parked,
    "empty": lambda _: [Detections.empty()],
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(options.days, Path(folder) / "count.state")
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
