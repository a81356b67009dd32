"""Tracking quality on MOT files: unique objects, IDF1, HOTA and MOTA, beside roboflow trackers.

    python benchmarks/tracking.py [SEQUENCE ...] [--fps 25] [--size 640x480] [--json FILE]

A SEQUENCE is a folder with det.txt and gt.txt in MOT format; without one it is TUD-Campus of
TALLYLENS_DATA. All trackers see the same detections. IDF1, HOTA and MOTA come from trackers.eval,
which matches TrackEval. Needs: pip install trackers.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import supervision as sv
from rich.console import Console
from rich.table import Table
from trackers import ByteTrackTracker, OCSORTTracker, SORTTracker
from trackers.eval import evaluate_mot_sequence

from tallylens.edge_runtime.core import TrackCounter
from tallylens.edge_runtime.types import Detections

DATA = Path(os.environ.get("TALLYLENS_DATA", Path(__file__).parents[2] / "shared" / "data"))
PEERS: dict[str, Callable[..., Any]] = {
    "trackers ByteTrack": ByteTrackTracker,
    "trackers OC-SORT": OCSORTTracker,
    "trackers SORT": SORTTracker,
}
Frames = list[tuple[int, Detections]]
Tracked = dict[int, list[tuple[int, np.ndarray]]]  # frame -> (track id, xyxy)


def read_detections(path: Path) -> Frames:
    """Frames from 1 on of a MOT det.txt: frame, -1, left, top, width, height, confidence, ..."""
    rows = np.loadtxt(path, delimiter=",", ndmin=2)
    frames = []
    for number in range(1, int(rows[:, 0].max()) + 1):
        here = rows[rows[:, 0] == number]
        xyxy = np.hstack([here[:, 2:4], here[:, 2:4] + here[:, 4:6]]).astype(np.float32)
        confidence = np.clip(here[:, 6], 0, 1).astype(np.float32)
        frames.append((number, Detections(xyxy, confidence, np.zeros(len(here), np.int32))))
    return frames


def ours(frames: Frames, fps: float, size: tuple[int, int]) -> tuple[Tracked, int]:
    """tallylens with its default options."""
    counter = TrackCounter(1, size)
    tracked: Tracked = {}
    for number, found in frames:
        tracks = counter.update(round(number * 1e9 / fps), found)
        tracked[number] = list(zip(tracks.track_id.tolist(), tracks.xyxy, strict=True))
    return tracked, int(counter.unique().sum())


def peer(make: Callable[..., Any], frames: Frames, fps: float) -> tuple[Tracked, int]:
    """A tracker of roboflow trackers with its default options."""
    tracker = make(frame_rate=fps)
    tracked: Tracked = {}
    for number, found in frames:
        seen = tracker.update(
            sv.Detections(found.xyxy, confidence=found.confidence, class_id=found.class_id)
        )
        ids = [] if seen.tracker_id is None else seen.tracker_id.tolist()
        boxes = seen.xyxy if len(ids) else []
        tracked[number] = [(i, box) for i, box in zip(ids, boxes, strict=True) if i >= 0]
    return tracked, len({i for rows in tracked.values() for i, _ in rows})


def as_pedestrians(truth: Path) -> str:
    """A gt.txt of 2015, without classes, in the form of 2016, where 1 is a pedestrian."""
    rows = (line.split(",") for line in truth.read_text().split())
    return "".join(f"{','.join(row[:7])},{'1' if row[7] == '-1' else row[7]},1\n" for row in rows)


def scores(truth: Path, tracked: Tracked) -> dict[str, float]:
    """IDF1, HOTA and MOTA in percent."""
    with tempfile.TemporaryDirectory() as folder:
        path, marked = Path(folder) / "tracks.txt", Path(folder) / "gt.txt"
        marked.write_text(as_pedestrians(truth))
        with path.open("w") as out:
            for number, rows in tracked.items():
                for track_id, (x1, y1, x2, y2) in rows:
                    box = f"{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f}"
                    out.write(f"{number},{track_id},{box},1,-1,-1,-1\n")
        result = evaluate_mot_sequence(marked, path, ["CLEAR", "HOTA", "Identity"])
    return {
        "IDF1": 100 * result.Identity.IDF1,
        "HOTA": 100 * result.HOTA.HOTA,
        "MOTA": 100 * result.CLEAR.MOTA,
        "switches": result.CLEAR.IDSW,
    }


def rows_of(sequence: Path, fps: float, size: tuple[int, int]) -> Iterator[dict[str, Any]]:
    """One row a tracker."""
    frames = read_detections(sequence / "det.txt")
    truth = sequence / "gt.txt"
    people = len(np.unique(np.loadtxt(truth, delimiter=",")[:, 1]))
    runs = {"tallylens": ours(frames, fps, size)}
    runs |= {name: peer(make, frames, fps) for name, make in PEERS.items()}
    for name, (tracked, unique) in runs.items():
        yield {
            "sequence": sequence.name,
            "tracker": name,
            "unique": unique,
            "truth": people,
            "error": unique - people,
            **scores(truth, tracked),
        }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sequences", nargs="*", type=Path, default=[DATA / "mot" / "TUD-Campus"])
    parser.add_argument("--fps", type=float, default=25.0)
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    rows = [r for s in options.sequences for r in rows_of(s, options.fps, (width, height))]
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(f"{v:.1f}" if isinstance(v, float) else str(v) for v in row.values()))
    Console(width=120).print(table)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
