"""The Android counter on a desktop JVM against Python: the same results, and the time per frame.

    python benchmarks/android.py VIDEO MODEL [--line ...] [--zone ...] [--runs 5] [--json]

Both count the same raw frames with the same LiteRT library on one core, in alternating runs.
Detections and events are compared to the bit, and the reports. Times are of a frame, from the
letterbox to its events; `host` is what of them is not inference. `fast` ones are the 10th
percentile, which other work on the machine changes little. Builds what it needs with
`mobile_bindings/android/check`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
MOBILE = REPOSITORY / "mobile_bindings"
sys.path[:0] = [str(REPOSITORY), str(MOBILE), str(MOBILE / "android")]


from tests.support.frame_file import read_frames, video_frames, write_frames  # noqa: E402

WARM_UP = 10
builds: Any = importlib.import_module("checks.builds")
tools: Any = importlib.import_module("checks.tools")


def python_run(options: argparse.Namespace, frames: Path, trace: Path) -> dict[str, Any]:
    """Count the frames in this process; the report document."""
    import numpy as np

    from tallylens import Line, Zone
    from tallylens.edge_runtime.counting.session import CountSession
    from tallylens.edge_runtime.detection.detector import Detector
    from tallylens.edge_runtime.detection.model_variant import ModelVariant
    from tallylens.edge_runtime.engines import open_engine

    def bits(values: Any) -> list[int]:
        return [int(v) for v in np.asarray(values, np.float32).view(np.int32)]

    def event(one: Any) -> list[Any]:
        floats = bits([one.x, one.y, one.confidence, one.age_s, one.dwell_s])
        whole = [one.kind, one.timestamp_ns, one.track_id, one.class_id, one.previous_class_id]
        return [*whole, one.place, *floats, one.class_name, one.region]

    size = next(iter(read_frames(frames)))[1].shape[1::-1]
    fitting = ModelVariant.fitting(options.model, size)
    engine = open_engine(options.model) if options.whole_input else fitting.open()
    detector = Detector(engine)
    names = engine.metadata.class_names
    with CountSession(
        str(frames),
        [detector],
        names,
        size,
        model=str(options.model),
        engine=engine.name,
        timing=lambda: detector.timing,
        lines=[Line.parse(text) for text in options.line],
        zones=[Zone.parse(text) for text in options.zone],
    ) as session:
        with trace.open("w", encoding="utf-8") as file:
            inference_ns = 0
            for timestamp_ns, image in read_frames(frames):
                started = time.perf_counter_ns()
                found = detector.detect(image)
                _, events = session.totals.add(timestamp_ns, found)
                nanos = time.perf_counter_ns() - started
                inference_ns, before_ns = detector.timing.inference_ns, inference_ns
                host = nanos - (inference_ns - before_ns)
                session.counter.frames += 1
                rows = [
                    [*bits([*box, score]), int(label)]
                    for box, score, label in zip(
                        found.xyxy, found.confidence, found.class_id, strict=True
                    )
                ]
                line = {
                    "timestamp_ns": timestamp_ns,
                    "nanos": nanos,
                    "host_nanos": host,
                    "detections": rows,
                }
                file.write(json.dumps({**line, "events": [event(one) for one in events]}) + "\n")
            last = session.totals.conclude()
            if last:
                end = {"timestamp_ns": -1, "nanos": 0, "host_nanos": 0, "detections": []}
                file.write(json.dumps({**end, "events": [event(one) for one in last]}) + "\n")
        document: dict[str, Any] = session.report().as_dict()
    return document


def jvm_run(options: argparse.Namespace, frames: Path, trace: Path) -> dict[str, Any]:
    """Count the frames on a JVM; the report document."""
    command = [*builds.java_command(builds.native()), "io.tallylens.jvm.CountMainKt", frames]
    command += [options.model, "--trace", trace, "--litert", tools.litert()]
    for name in ("line", "zone"):
        for text in getattr(options, name):
            command += [f"--{name}", text]
    done = subprocess.run(
        [str(word) for word in pinned(command)], stdout=subprocess.PIPE, check=True
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def pinned(command: list[Any]) -> list[Any]:
    """The command on the first core only, where that can be asked for."""
    return ["taskset", "-c", "0", *command] if sys.platform == "linux" else command


def rows(trace: Path) -> list[dict[str, Any]]:
    """The lines of a trace."""
    return [json.loads(line) for line in trace.read_text(encoding="utf-8").splitlines()]


def without(document: dict[str, Any], *keys: str) -> dict[str, Any]:
    """A copy of a document without some of its keys."""
    return {key: value for key, value in document.items() if key not in keys}


def compare(options: argparse.Namespace, frames: Path, folder: Path) -> dict[str, Any]:
    """Runs of both, one after the other, and what differed."""
    builds.core(), builds.desktop(), builds.native()
    traces: dict[str, list[list[dict[str, Any]]]] = {"python": [], "jvm": []}
    identical = True
    for _ in range(options.runs):
        results = {}
        for name in traces:
            trace = folder / f"{name}.jsonl"
            results[name] = run(name, options, frames, trace), rows(trace)
            traces[name].append(results[name][1])
        (first, ours), (second, theirs) = results["python"], results["jvm"]
        identical &= without(first, "speed") == without(second, "speed")
        identical &= [without(row, "nanos", "host_nanos") for row in ours] == [
            without(row, "nanos", "host_nanos") for row in theirs
        ]
    return {
        "identical": identical,
        "frames": first["frames"],
        "detections": sum(len(row["detections"]) for row in ours),
        "events": sum(len(row["events"]) for row in ours),
        **timing(traces),
    }


def timing(traces: dict[str, list[list[dict[str, Any]]]]) -> dict[str, float]:
    """Medians over runs of the median and the 10th percentile of a frame, and their ratios."""
    found = {}
    for key, field in (("ms", "nanos"), ("host_ms", "host_nanos")):
        for part, share in (("", 0.5), ("fast_", 0.1)):
            for name, runs in traces.items():
                of_runs = [percentile(rows, field, share) for rows in runs]
                found[f"{name}_{part}{key}"] = statistics.median(of_runs)
    for part in ("", "fast_"):
        found[f"{part}ratio"] = found[f"jvm_{part}ms"] / found[f"python_{part}ms"]
    return found


def percentile(rows: list[dict[str, Any]], field: str, share: float) -> float:
    """Milliseconds below which this share of the frames was, after the first ten."""
    values: list[float] = sorted(
        row[field] / 1e6 for row in rows[WARM_UP:] if row["timestamp_ns"] >= 0
    )
    return values[int(share * len(values))]


def run(name: str, options: argparse.Namespace, frames: Path, trace: Path) -> dict[str, Any]:
    """One run of Python (in a process of its own) or of the JVM."""
    if name == "jvm":
        return jvm_run(options, frames, trace)
    command = [sys.executable, __file__, options.video, options.model, "--python", frames, trace]
    for region in ("line", "zone"):
        for text in getattr(options, region):
            command += [f"--{region}", text]
    done = subprocess.run(
        [str(word) for word in pinned(command)], stdout=subprocess.PIPE, check=True
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def main() -> None:
    """Read the options, run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--line", action="append", default=[])
    parser.add_argument("--zone", action="append", default=[])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--python", type=Path, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--whole-input", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.python:
        print(json.dumps(python_run(options, *options.python)))
        return
    with tempfile.TemporaryDirectory() as name:
        frames = Path(name) / "frames.tlfr"
        write_frames(frames, video_frames(options.video))
        result = compare(options, frames, Path(name))
    if options.json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        print(f"{key:16} {value:.3f}" if isinstance(value, float) else f"{key:16} {value}")


if __name__ == "__main__":
    main()
