"""The Swift counter on Linux against Python: the same results, and the time per frame.

    python benchmarks/ios.py VIDEO MODEL [--line ...] [--zone ...] [--runs 5] [--kotlin] [--json]

All count the same raw frames with the same LiteRT library on one core, in alternating runs.
Detections and events are compared to the bit, and the reports. Builds what it needs.
`input_matters` says whether Python's detections are others with the model's whole input: if so,
equal ones show that the input fits the frames everywhere.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
MOBILE = REPOSITORY / "mobile_bindings"
sys.path[:0] = [str(REPOSITORY), str(MOBILE), str(MOBILE / "ios")]

from android import jvm_run, pinned, rows, without  # noqa: E402

from tests.support.frame_file import video_frames, write_frames  # noqa: E402

tools: Any = importlib.import_module("swift_checks.tools")


def run(
    name: str, program: Path, options: argparse.Namespace, frames: Path, trace: Path
) -> dict[str, Any]:
    """One run of Python, Swift or Kotlin, each in a process of its own; the report document."""
    if name == "kotlin":
        return jvm_run(options, frames, trace)
    if name == "swift":
        command: list[Any] = [program, frames, options.model, "--trace", trace]
        command += ["--litert", tools.litert()]
    else:
        command = [sys.executable, REPOSITORY / "benchmarks" / "android.py", options.video]
        command += [options.model, "--python", frames, trace]
        command += ["--whole-input"] if name == "whole" else []
    for region in ("line", "zone"):
        for text in getattr(options, region):
            command += [f"--{region}", text]
    words = [str(word) for word in pinned(command)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} failed: {done.stderr[-3000:]}")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


TIMES = ("nanos", "host_nanos")
WARM_UP = 10


def median_ms(trace: list[dict[str, Any]], key: str) -> float:
    """The median time of the frames after the first ones."""
    counted = [row[key] / 1e6 for row in trace if row["nanos"]]
    middle: float = statistics.median(counted[WARM_UP:])
    return middle


def untimed(trace: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows without their times."""
    return [without(row, *TIMES) for row in trace]


def compare(options: argparse.Namespace, frames: Path, folder: Path) -> dict[str, Any]:
    """Alternating runs of both, and whether they differed."""
    build = "debug" if options.debug else "release"
    tools.package("build", "-c", build, "--product", "TallyLensConformance")
    program = tools.BUILD / "package" / build / "TallyLensConformance"
    names = ("python", "swift", *(["kotlin"] if options.kotlin else []))
    times: dict[str, list[float]] = {name: [] for name in names}
    hosts: list[float] = []
    identical = True
    for _ in range(options.runs):
        reports, traces = {}, {}
        for name in names:
            trace = folder / f"{name}.jsonl"
            reports[name] = run(name, program, options, frames, trace)
            traces[name] = rows(trace)
            times[name].append(median_ms(traces[name], "nanos"))
        hosts.append(median_ms(traces["swift"], "host_nanos"))
        first, *others = (without(reports[name], "speed") for name in names)
        ours, *theirs = (untimed(traces[name]) for name in names)
        identical &= all(first == one for one in others) and all(ours == one for one in theirs)
    whole = folder / "whole.jsonl"
    run("whole", program, options, frames, whole)
    python_ms, swift_ms = (statistics.median(times[name]) for name in ("python", "swift"))
    return {
        "identical": identical,
        "compared": len(names),
        "input_matters": untimed(rows(whole)) != ours,
        "frames": first["frames"],
        "detections": sum(len(row["detections"]) for row in ours),
        "events": sum(len(row["events"]) for row in ours),
        "python_ms": python_ms,
        "swift_ms": swift_ms,
        "ratio": swift_ms / python_ms,
        "least_ratio": min(times["swift"]) / min(times["python"]),
        "swift_host_ms": statistics.median(hosts),
        "least_host_ms": min(hosts),
    }


def main() -> None:
    """Read the options, run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path, help="a video, or a frame file (.tlfr)")
    parser.add_argument("model", type=Path)
    parser.add_argument("--line", action="append", default=[])
    parser.add_argument("--zone", action="append", default=[])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--kotlin", action="store_true", help="compare Kotlin on a JVM, too")
    parser.add_argument("--debug", action="store_true", help="without optimization, to compare")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        frames = options.video
        if frames.suffix != ".tlfr":
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
