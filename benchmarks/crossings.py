"""Count errors on generated scenes, beside supervision's LineZone fed by roboflow trackers.

    python benchmarks/crossings.py [--scenes 300] [--first 0] [--peers] [--failures] [--json FILE]

Scenes come from benchmarks/scenes.py: any speed from 1 to 300 px a frame, jitter, occlusion,
meetings on the line, stops, U-turns, crowds, class flicker, 5 to 120 fps, up to half of the frames
dropped. A scene is right when both totals of its line are. --peers needs: pip install trackers.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from scenes import KINDS, NUM_CLASSES, Scene, scene_of

from tallylens.edge_runtime.core import TrackCounter

Counts = tuple[int, int]


def ours(scene: Scene) -> Counts:
    """tallylens with its default options."""
    counter = TrackCounter(NUM_CLASSES, scene.size)
    counter.add_line(*scene.ends)
    for timestamp_ns, found in scene.frames():
        counter.update(timestamp_ns, found)
    line = counter.line(0)
    return int(line.crossed_in.sum()), int(line.crossed_out.sum())


def peer(make: Callable[..., Any]) -> Callable[[Scene], Counts]:
    """A tracker of roboflow trackers with supervision's line, both with default options."""
    import supervision as sv

    def count(scene: Scene) -> Counts:
        tracker = make(frame_rate=scene.fps * (1 - scene.dropped))
        start, end = (sv.Point(*p) for p in scene.ends)
        line = sv.LineZone(end, start, triggering_anchors=(sv.Position.BOTTOM_CENTER,))
        for _, found in scene.frames():
            detections = sv.Detections(
                found.xyxy, confidence=found.confidence, class_id=found.class_id
            )
            tracked = tracker.update(detections)
            if tracked.tracker_id is not None and len(tracked):
                line.trigger(tracked[tracked.tracker_id >= 0])
        return line.in_count, line.out_count

    return count


def counters(with_peers: bool) -> dict[str, Callable[[Scene], Counts]]:
    """The counters that are compared."""
    found: dict[str, Callable[[Scene], Counts]] = {"tallylens": ours}
    if with_peers:
        from trackers import ByteTrackTracker, OCSORTTracker, SORTTracker

        for name, make in (
            ("ByteTrack", ByteTrackTracker),
            ("OC-SORT", OCSORTTracker),
            ("SORT", SORTTracker),
        ):
            found[f"supervision + {name}"] = peer(make)
    return found


def main() -> None:
    """Print right scenes by kind."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scenes", type=int, default=300)
    parser.add_argument("--first", type=int, default=0, help="seed of the first scene")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--failures", action="store_true", help="name the scenes that are wrong")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.scenes)
    rows = []
    for name, count in counters(options.peers).items():
        right = {build.__name__: 0 for build in KINDS}
        off = 0
        for seed in seeds:
            scene = scene_of(seed)
            counted, truth = count(scene), scene.truth
            right[scene.kind] += counted == truth
            off += abs(counted[0] - truth[0]) + abs(counted[1] - truth[1])
            if options.failures and counted != truth:
                print(
                    f"{name}: {scene.kind} seed {seed}: {counted} instead of {truth}, "
                    f"{scene.fps:g} fps, {scene.dropped:.0%} dropped, jitter {scene.jitter:.3f}",
                    flush=True,
                )
        rows.append(
            {"counter": name, **right, "right": sum(right.values()) / len(seeds), "off by": off}
        )
    table = Table(title=f"right scenes of {len(seeds)}", title_justify="left")
    for column in rows[0]:
        table.add_column(column)
    for row in rows:
        table.add_row(*(f"{v:.1%}" if isinstance(v, float) else str(v) for v in row.values()))
    Console(width=160).print(table)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
