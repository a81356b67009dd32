"""Counts of recorded detections against the truth, at full rate and at every second frame.

    python benchmarks/streams.py [--json FILE]

Reads streams/*.npz (what yolov5n found in public clips, beside the interval of the true counts) and
mot/*/det.txt (published detections, beside the number of different people) of TALLYLENS_DATA. No
model runs: what is measured is tracking and counting alone.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tallylens import Detections, Line, RecordedDetections
from tallylens.edge_runtime.core import TrackCounter
from tallylens.edge_runtime.counting.totals import Totals

DATA = Path(os.environ.get("TALLYLENS_DATA", Path(__file__).parents[2] / "shared" / "data"))
STEPS = (1, 2)
# At every second frame the interval may be missed by this share.
HALF_RATE_SLACK = 0.15
Frames = list[tuple[int, Detections]]


@dataclass(frozen=True)
class Row:
    """One stream at one rate: what was counted, and whether that is right."""

    name: str
    step: int
    crossed_in: int
    crossed_out: int
    truth: str
    right: bool
    unique: int
    frames_per_s: float


@dataclass(frozen=True)
class People:
    """One MOT sequence: different people counted, and their true number."""

    name: str
    unique: int
    truth: int

    @property
    def error(self) -> int:
        """How many too many or too few."""
        return abs(self.unique - self.truth)


def read_stream(path: Path) -> tuple[Frames, list[str], tuple[int, int]]:
    """Frames, class names and (width, height) of a recorded stream."""
    recorded = RecordedDetections(path)
    frames = [(frame.timestamp_ns, found) for frame, found in recorded]
    return frames, list(recorded.class_names), recorded.size


def within(value: int, interval: list[int], slack: float) -> bool:
    """Whether a count lies in the interval, widened by a share of its ends."""
    low, high = interval
    return low * (1 - slack) <= value <= high * (1 + slack)


def count_stream(path: Path, truth: dict[str, Any], step: int) -> Row:
    """Every `step`-th frame of a stream through the tracker and one line."""
    frames, names, size = read_stream(path)
    totals = Totals(names, size, lines=[Line(*truth["line"])], classes=truth["classes"])
    start = time.perf_counter()
    for timestamp_ns, detections in frames[::step]:
        totals.add(timestamp_ns, detections)
    totals.conclude()
    elapsed = time.perf_counter() - start
    (line,) = totals.lines()
    crossed_in, crossed_out = sum(line.crossed_in.values()), sum(line.crossed_out.values())
    slack = HALF_RATE_SLACK if step > 1 else 0.0
    return Row(
        path.stem,
        step,
        crossed_in,
        crossed_out,
        "{}-{} / {}-{}".format(*truth["in"], *truth["out"]),
        within(crossed_in, truth["in"], slack) and within(crossed_out, truth["out"], slack),
        sum(totals.unique().values()),
        len(frames[::step]) / elapsed,
    )


def streams() -> Iterator[Row]:
    """All streams at all rates."""
    folder = DATA / "streams"
    for name, truth in json.loads((folder / "truth.json").read_text()).items():
        for kind in ("float", "int8"):
            for step in STEPS:
                yield count_stream(folder / f"{name}-{kind}.npz", truth, step)


def read_mot(path: Path) -> Iterator[Detections]:
    """Frames of a MOT det.txt: frame, -1, left, top, width, height, confidence."""
    rows = np.loadtxt(path, delimiter=",", ndmin=2)
    for number in range(1, int(rows[:, 0].max()) + 1):
        here = rows[rows[:, 0] == number]
        yield Detections(
            np.hstack([here[:, 2:4], here[:, 2:4] + here[:, 4:6]]).astype(np.float32),
            np.clip(here[:, 6], 0, 1).astype(np.float32),
            np.zeros(len(here), np.int32),
        )


def people() -> Iterator[People]:
    """Different people in every MOT sequence."""
    folder = DATA / "mot"
    for name, truth in json.loads((folder / "truth.json").read_text()).items():
        counter = TrackCounter(1, tuple(truth["size"]))
        for number, detections in enumerate(read_mot(folder / name / "det.txt"), 1):
            counter.update(round(number * 1e9 / truth["fps"]), detections)
        yield People(name, int(counter.unique().sum()), truth["unique"])


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    rows, sequences = list(streams()), list(people())
    table = Table("stream", "every", "in", "out", "truth", "right", "unique", "frames/s")
    for row in rows:
        table.add_row(
            row.name,
            str(row.step),
            str(row.crossed_in),
            str(row.crossed_out),
            row.truth,
            "yes" if row.right else "NO",
            str(row.unique),
            f"{row.frames_per_s:,.0f}",
        )
    mot = Table("sequence", "unique", "truth", "error")
    for one in sequences:
        mot.add_row(one.name, str(one.unique), str(one.truth), str(one.error))
    mot.add_row("all", "", "", str(sum(one.error for one in sequences)))
    console = Console(width=110)
    console.print(table)
    console.print(mot)
    if options.json:
        document = {
            "streams": [asdict(row) for row in rows],
            "people": [{**asdict(one), "error": one.error} for one in sequences],
        }
        options.json.write_text(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
