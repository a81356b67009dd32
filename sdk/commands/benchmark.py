"""`tallylens benchmark`: the time that each stage takes per frame on this machine."""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import statistics
import time
from typing import TYPE_CHECKING, Any

from tallylens.commands.arguments import (
    add_imgsz,
    add_json,
    add_names,
    add_workers,
    class_names,
    print_json,
)

if TYPE_CHECKING:
    from tallylens.counter import Counter
    from tallylens.edge_runtime.counting.report import Report

NAME = "benchmark"
HELP = "Measure inference, pre/post-processing and throughput."
EXAMPLES = """examples:
  tallylens benchmark --model yolov5n-int8.tflite --source street.mp4

Milliseconds are medians over the frames of a run with one worker. Frames per second are measured
over a whole run, video decoding included: with one worker, and with one per core. Inference and
video decoding (reading the source alone) are wall-clock time, the other stages are processor time
of the worker's thread. `tallylens cost --benchmark` reads the output of --json."""

WARM_UP = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        default="yolov5n",
        help="model file, or a name in the model store (default: yolov5n)",
    )
    parser.add_argument("--source", required=True, help="video file, or folder or glob of images")
    add_imgsz(parser)
    add_names(parser)
    add_workers(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    from tallylens.terminal.progress import Progress

    with Progress("one frame at a time", 1.0):
        stages = _stage_medians(options) | {"video_decode": _decode_mean(options.source)}
        with _counter(options, 1) as counter:
            alone = _whole_run(counter, options.source)
    with (
        Progress("all cores", 1.0),
        _counter(options, options.workers) as counter,
    ):
        together = _whole_run(counter, options.source)
    document = _document(alone, together, stages)
    if options.json:
        print_json(document)
        return 0
    for name, value in document["ms"].items():
        print(f"{name:<18}{value:8.3f} ms")
    print(f"{'one worker':<18}{document['fps']['one_worker']:8.1f} frames/s")
    print(f"{'all workers':<18}{document['fps']['all_workers']:8.1f} frames/s")
    return 0


def _counter(options: argparse.Namespace, workers: int | None) -> Counter:
    from tallylens.counter import Counter

    return Counter(
        options.model, imgsz=options.imgsz, workers=workers, class_names=class_names(options)
    )


def _whole_run(counter: Counter, source: str) -> Report:
    report = counter.run(source)
    if report.interrupted:
        raise KeyboardInterrupt
    return report


def _document(alone: Report, together: Report, stages: dict[str, float]) -> dict[str, Any]:
    return {
        "source": alone.source,
        "model": alone.model,
        "engine": alone.engine,
        "frames": alone.frames,
        "machine": {"cores": os.cpu_count() or 1, "processor": platform.machine()},
        "ms": {name: round(value, 4) for name, value in stages.items()},
        "fps": {
            "one_worker": round(alone.speed.fps, 2),
            "all_workers": round(together.speed.fps, 2),
        },
    }


def _decode_mean(source: str) -> float:
    """Mean milliseconds per frame of reading the source when nothing else runs."""
    from tallylens.edge_runtime.sources.open import open_source

    with open_source(source) as frames:
        read_ns = [time.perf_counter_ns()]
        read_ns += [time.perf_counter_ns() for _ in frames]
    steps = [after - before for before, after in itertools.pairwise(read_ns)]
    return statistics.fmean(steps or [0]) / 1e6


def _stage_medians(options: argparse.Namespace) -> dict[str, float]:
    """Median milliseconds of each stage over the frames after a warm-up."""
    rows = [(0, 0, 0, 0)]
    with _counter(options, 1) as counter:
        for _ in counter.watch(options.source):
            rows.append(counter.stage_totals_ns())
    steps = [
        [after - before for after, before in zip(later, earlier, strict=True)]
        for earlier, later in itertools.pairwise(rows)
    ]
    columns = list(zip(*(steps[WARM_UP:] or steps), strict=True))
    names = ("letterbox", "inference", "decode_nms", "track_count")
    medians = {
        name: statistics.median(column) / 1e6 for name, column in zip(names, columns, strict=True)
    }
    host = [sum(row) - row[1] for row in zip(*columns, strict=True)]
    return medians | {"host": statistics.median(host) / 1e6}
