"""The Android counter on a desktop JVM against Python: the same results, and the time per frame.

    python benchmarks/android.py VIDEO MODEL [--line ...] [--zone ...] [--runs 5] [--json]

Both count the same raw frames with the same LiteRT library on one core, in alternating runs.
Detections and events are compared to the bit, and the reports. Builds what it needs with
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

builds: Any = importlib.import_module("checks.builds")
tools: Any = importlib.import_module("checks.tools")


def python_run(options: argparse.Namespace, frames: Path, trace: Path) -> dict[str, Any]:
    """Count the frames in this process; the report document."""
    import numpy as np

    from tallylens import Line, Zone
    from tallylens.edge_runtime.counting.session import CountSession
    from tallylens.edge_runtime.detection.detector import Detector
    from tallylens.edge_runtime.detection.model_variant import ModelVariant

    def bits(values: Any) -> list[int]:
        return [int(v) for v in np.asarray(values, np.float32).view(np.int32)]

    def event(one: Any) -> list[Any]:
        floats = bits([one.x, one.y, one.confidence, one.age_s, one.dwell_s])
        whole = [one.kind, one.timestamp_ns, one.track_id, one.class_id, one.previous_class_id]
        return [*whole, one.place, *floats, one.class_name, one.region]

    size = next(iter(read_frames(frames)))[1].shape[1::-1]
    engine = ModelVariant.fitting(options.model, size).open()
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
            for timestamp_ns, image in read_frames(frames):
                started = time.perf_counter_ns()
                found = detector.detect(image)
                _, events = session.totals.add(timestamp_ns, found)
                nanos = time.perf_counter_ns() - started
                session.counter.frames += 1
                rows = [
                    [*bits([*box, score]), int(label)]
                    for box, score, label in zip(
                        found.xyxy, found.confidence, found.class_id, strict=True
                    )
                ]
                line = {"timestamp_ns": timestamp_ns, "nanos": nanos, "detections": rows}
                file.write(json.dumps({**line, "events": [event(one) for one in events]}) + "\n")
            last = session.totals.conclude()
            if last:
                end = {"timestamp_ns": -1, "nanos": 0, "detections": []}
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
    times: dict[str, list[float]] = {"python": [], "jvm": []}
    hosts: dict[str, list[float]] = {"python": [], "jvm": []}
    identical = True
    for _ in range(options.runs):
        results = {}
        for name in times:
            trace = folder / f"{name}.jsonl"
            results[name] = run(name, options, frames, trace), rows(trace)
            counted = [row["nanos"] / 1e6 for row in results[name][1] if row["nanos"]]
            times[name].append(statistics.median(counted[10:]))
            hosts[name].append(results[name][0]["speed"]["host_ms"])
        (first, ours), (second, theirs) = results["python"], results["jvm"]
        identical &= without(first, "speed") == without(second, "speed")
        identical &= [without(row, "nanos") for row in ours] == [
            without(row, "nanos") for row in theirs
        ]
    return {
        "identical": identical,
        "frames": first["frames"],
        "detections": sum(len(row["detections"]) for row in ours),
        "events": sum(len(row["events"]) for row in ours),
        "python_ms": statistics.median(times["python"]),
        "jvm_ms": statistics.median(times["jvm"]),
        "ratio": statistics.median(times["jvm"]) / statistics.median(times["python"]),
        "python_host_ms": statistics.median(hosts["python"]),
        "jvm_host_ms": statistics.median(hosts["jvm"]),
    }


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
