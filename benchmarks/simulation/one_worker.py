"""One worker of the video service: counts a clip and prints the seconds of each stage per frame."""

from __future__ import annotations

import itertools
import json
import sys
import time

import cv2

from tallylens import Counter, Line
from tallylens.edge_runtime.reports.count_page import to_html

WARM_UP = 10
STAGES = ("letterbox", "inference", "decode_nms", "track_count")


def main(model: str, clip: str) -> None:
    """Print {stage: [seconds, ...]}; wall-clock time, since all cores are busy."""
    cv2.setNumThreads(1)
    rows, walls = [(0, 0, 0, 0)], [time.perf_counter_ns()]
    with Counter(model, workers=1, lines=[Line(0, 0.6, 1, 0.6)]) as counter:
        for _ in counter.watch(clip):
            rows.append(counter.stage_totals_ns())
            walls.append(time.perf_counter_ns())
        started = time.perf_counter()
        json.dumps(counter.report().as_dict())
        to_html(counter.report())
        report_s = time.perf_counter() - started
    found: dict[str, list[float]] = {}
    for early, late in itertools.pairwise(rows):
        for name, before, after in zip(STAGES, early, late, strict=True):
            found.setdefault(f"{name}, per frame", []).append((after - before) / 1e9)
    document = {name: values[WARM_UP:] or values for name, values in found.items()}
    # The rest of the whole run: decoders deliver several frames at once.
    kept = walls[WARM_UP:] if len(walls) > 2 * WARM_UP else walls
    per_frame = (kept[-1] - kept[0]) / 1e9 / (len(kept) - 1)
    others = sum(sum(document[f"{name}, per frame"]) for name in STAGES)
    others /= len(document["letterbox, per frame"])
    document["decode, per frame"] = [per_frame - others]
    document["report"] = [report_s]
    print(json.dumps(document))


if __name__ == "__main__":
    main(*sys.argv[1:])
