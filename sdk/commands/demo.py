"""`tallylens demo`: count a synthetic street whose true counts are known."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tallylens.commands.arguments import add_json, print_json

if TYPE_CHECKING:
    from tallylens.counter import Counter, FrameResult
    from tallylens.demo.outcome import Outcome
    from tallylens.demo.scene import Scene
    from tallylens.edge_runtime.counting.report import Report
    from tallylens.edge_runtime.sources import Source

NAME = "demo"
HELP = "Draw a street, count it, and compare with the truth. Needs no network, model or video."
EXAMPLES = """examples:
  tallylens demo
  tallylens demo --seed 7 --fps 120 --seconds 30
  tallylens demo --camera"""

SIZE = (640, 360)
TITLES = {
    "unique": "unique objects",
    "in": "street in",
    "out": "street out",
    "entered": "stop entered",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="random seed of the street (default: 1)"
    )
    parser.add_argument(
        "--fps",
        type=float,
        default=30.0,
        metavar="N",
        help="frames per second, 1 to 240 (default: 30)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=20.0,
        metavar="S",
        help="length of the video, 5 to 600 (default: 20)",
    )
    parser.add_argument(
        "--camera",
        type=int,
        nargs="?",
        const=0,
        metavar="N",
        help="count camera number N (default: 0) instead, for --seconds",
    )
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        default=Path("tallylens-demo"),
        metavar="DIR",
        help="output folder for videos and reports (default: tallylens-demo)",
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    if options.camera is not None:
        return _run_camera(options)
    from tallylens.built_in import DEMO_FLOAT
    from tallylens.demo.film import film
    from tallylens.demo.outcome import compare
    from tallylens.demo.scene import Scene
    from tallylens.demo.stills import Stills
    from tallylens.exit_status import DONE, INTERRUPTED
    from tallylens.terminal.progress import Progress

    scene = Scene(options.seed, SIZE, options.fps, options.seconds)
    _claim(options.out)
    shutil.copyfile(DEMO_FLOAT, options.out / DEMO_FLOAT.name)
    video = options.out / "street.mp4"
    with Progress("drawing the street", scene.frames, "frames") as progress:
        film(scene, video, progress.update, Stills(options.out))
    report = _count(scene, video, options)
    files = _write(report, options.out)
    outcome = compare(report, scene)
    if options.json:
        print_json(_document(scene, report, outcome, [video, *files], options))
    else:
        _show(scene, report, outcome, options)
    return INTERRUPTED if report.interrupted else DONE


def _claim(folder: Path) -> None:
    """Make the output folder; refuse one that holds anything but an earlier demo.

    Raises:
        UsageError: it holds other files.
        InputError: it cannot be created or written to.
    """
    from tallylens.built_in import DEMO_FLOAT
    from tallylens.demo.film import make_folder
    from tallylens.edge_runtime.errors import InputError, UsageError

    make_folder(folder)
    if not os.access(folder, os.W_OK):
        raise InputError(folder, "the folder is not writable", "Choose another one with -o")
    left = {path.name for path in folder.iterdir()}
    if left and not left & {DEMO_FLOAT.name, "annotated.mp4"}:
        raise UsageError(f"the folder {folder} holds other files", "Choose another one with -o")


def _count(scene: Scene, video: Path, options: argparse.Namespace) -> Report:
    from tallylens.demo.counting import demo_counter
    from tallylens.edge_runtime.sources import open_source

    with demo_counter(scene) as counter, open_source(video) as source:
        return _watch(counter, source, options.out / "annotated.mp4", source.frames_total)


def _watch(
    counter: Counter, source: Source, annotated: Path, total: int | None, seconds: float = 1e9
) -> Report:
    """Count for at most `seconds`, showing progress and writing the annotated video."""
    from tallylens.edge_runtime.reports.annotate import AnnotatedVideo
    from tallylens.terminal.progress import Progress

    with ExitStack() as stack:
        video = stack.enter_context(AnnotatedVideo(annotated, source))
        progress = stack.enter_context(Progress("counting", total, "frames"))

        def frames() -> Iterator[FrameResult]:
            for result in counter.watch(source):
                yield result
                if result.frame.timestamp_ns >= seconds * 1e9:
                    return

        try:
            for result in frames():
                video.frame(result)
                progress.update(result.frame.index + 1)
        except KeyboardInterrupt:
            if not counter.frames:
                raise
            print("tallylens: interrupted; these are the counts so far", file=sys.stderr)
            return counter.report(interrupted=True)
        return counter.report()


def _write(report: Report, folder: Path) -> list[Path]:
    """Write the report in every format; returns the files written, with the annotated video."""
    from tallylens.edge_runtime.reports.formats import WRITERS, write_reports

    reports = [folder / f"report{ending}" for ending in WRITERS]
    write_reports(report, reports)
    return [folder / "annotated.mp4", *reports]


def _document(
    scene: Scene,
    report: Report,
    outcome: Outcome,
    files: list[Path],
    options: argparse.Namespace,
) -> dict[str, Any]:
    zone = report.zones[0].as_dict()
    truth = scene.truth
    return {
        "counts": outcome.counts,
        "truth": outcome.truth,
        "right": outcome.right,
        "dwell_s": {
            "counted": zone["dwell_s"],
            "truth": {"mean": round(truth.mean_dwell_s, 3), "max": round(truth.max_dwell_s, 3)},
        },
        "seed": scene.seed,
        "fps": scene.fps,
        "weather": scene.weather.name,
        **{
            key: value
            for key, value in report.as_dict().items()
            if key in ("model", "engine", "frames", "seconds", "speed", "warnings", "interrupted")
        },
        "files": [str(path) for path in files],
        "next": _next_commands(scene, options.out),
    }


def _show(scene: Scene, report: Report, outcome: Outcome, options: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("region", "class", title=f"A street, seed {scene.seed}, {scene.weather.name}")
    for column in ("counted", "truth"):
        table.add_column(column, justify="right")
    previous = ""
    for what, name, counted, true in outcome.rows():
        title = TITLES[what]
        table.add_row(
            "" if title == previous else title,
            name,
            str(counted),
            str(true) if counted == true else f"{true} !",
        )
        previous = title
    console = Console()
    console.print(table)
    word = "all counts are correct" if outcome.right else f"{outcome.error} miscounted in total"
    speed = report.speed
    console.print(
        f"{report.frames} frames, {word}; {speed.fps:.0f} frames/s with {report.engine} "
        f"(inference {speed.inference_ms:.1f} ms per frame)",
        soft_wrap=True,
    )
    for warning in report.warnings:
        console.print(f"note: {warning}", soft_wrap=True, markup=False)
    annotated, figures = options.out / "annotated.mp4", options.out / "report.json"
    print(f"See {annotated}; the figures are in {figures}.")
    print("Next, try:")
    for command in _next_commands(scene, options.out):
        print(f"  {command}")


def _next_commands(scene: Scene, folder: Path) -> list[str]:
    """Three commands that work on the files of this demo."""
    from tallylens.demo.counting import CONFIDENCE, IOU

    line = scene.line
    ends = f"{line.x1:g},{line.y1:g},{line.x2:g},{line.y2:g},{line.name}"
    street = shlex.quote(str(folder / "street.mp4"))
    thresholds = f"--confidence {CONFIDENCE} --iou {IOU}"
    return [
        f"tallylens count {street} --model demo {thresholds} --line {ends}",
        f"tallylens benchmark --model demo --source {street}",
        "tallylens doctor",
    ]


def _run_camera(options: argparse.Namespace) -> int:
    """Count a camera, with the official model if it is installed."""
    from tallylens.counter import Counter
    from tallylens.edge_runtime.sources import open_source
    from tallylens.exit_status import DONE, INTERRUPTED
    from tallylens.terminal.table import print_report

    model = _camera_model()
    with open_source(options.camera) as source:
        _claim(options.out)
        with Counter(model) as counter:
            report = _watch(
                counter, source, options.out / "annotated.mp4", None, seconds=options.seconds
            )
    _write(report, options.out)
    if options.json:
        print_json(report.as_dict())
    else:
        print_report(report)
    return INTERRUPTED if report.interrupted else DONE


def _camera_model() -> str:
    from tallylens import store
    from tallylens.built_in import DEMO
    from tallylens.extras import CONVERT_MODULES, missing

    if store.model_path("yolov5n").is_file() and not missing(CONVERT_MODULES):
        return "yolov5n"
    print(
        "note: the built-in model detects objects of the drawn street only. For a real camera: "
        "pip install 'tallylens[convert]' && tallylens models pull yolov5n",
        file=sys.stderr,
    )
    return DEMO.name
