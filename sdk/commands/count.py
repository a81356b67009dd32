"""`tallylens count`: the main job."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tallylens.commands.arguments import (
    above_zero,
    add_json,
    fraction,
    input_size,
    names,
    positive,
    print_json,
    seconds,
)
from tallylens.edge_runtime.text import printable

if TYPE_CHECKING:
    from tallylens.cloud_fallback.client.offloader import OffloadOptions
    from tallylens.counter import Counter, FrameResult
    from tallylens.edge_runtime.counting.report import Report
    from tallylens.edge_runtime.errors import TallyLensError

NAME = "count"
HELP = "Count the objects in a video, images, a camera or a stream."
EXAMPLES = """examples:
  tallylens count street.mp4 --model yolov5n.pt --line 0,0.6,1,0.6 --classes car,truck,bus
  tallylens count shop.mp4 --zone 0.1,0.5,0.6,0.5,0.6,1,0.1,1,queue --report shop.csv
  tallylens count 0 --annotate camera.mp4
  tallylens count rtsp://camera/1 --line 0,0.6,1,0.6,road,in=southbound,out=northbound \\
      --events road.jsonl --state road.state --reset daily@00:00 --report road.html

Coordinates are fractions of width and height when all are <= 1, else pixels. A line drawn from
left to right counts downward movement as `in`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", help="video file, folder or glob of images, camera number, rtsp or http address"
    )
    parser.add_argument(
        "--model", default="yolov5n", help=".tflite, .onnx or .pt file, or a name in the store"
    )
    parser.add_argument(
        "--line",
        action="append",
        default=[],
        metavar="x1,y1,x2,y2[,name][,in=NAME][,out=NAME][,extend]",
        help="count crossings; extend counts beyond its ends too",
    )
    parser.add_argument(
        "--zone",
        action="append",
        default=[],
        metavar="x1,y1,x2,y2,x3,y3...[,name][,dwell=S]",
        help="count presence and stays, with dwell= of at least S seconds",
    )
    parser.add_argument("--classes", type=names, metavar="car,bus", help="count only these")
    parser.add_argument(
        "--any-class", action="store_true", help="count every detection as one class, object"
    )
    parser.add_argument(
        "--anchor",
        choices=("bottom-centre", "centre", "top-centre"),
        default="bottom-centre",
        help="the point of an object that crosses lines and enters zones",
    )
    parser.add_argument(
        "--confidence",
        type=fraction,
        metavar="C",
        help="least of an object, at first and on average (default: 0.4 and 0.35)",
    )
    parser.add_argument(
        "--iou",
        type=fraction,
        metavar="U",
        help="boxes of a class that overlap by more are one object (default: 0.45)",
    )
    parser.add_argument(
        "--imgsz", type=input_size, metavar="N|HxW", help="model input, when it is converted here"
    )
    parser.add_argument(
        "--workers", type=positive, metavar="N", help="frames inferred at once (default: cores)"
    )
    parser.add_argument(
        "--report",
        action="append",
        default=[],
        type=Path,
        metavar="FILE.html|.json|.jsonl|.csv",
        help="write the totals to a file",
    )
    parser.add_argument(
        "--annotate", type=Path, metavar="OUT.mp4", help="write the video with boxes and counts"
    )
    parser.add_argument(
        "--events",
        type=Path,
        metavar="FILE.jsonl",
        help="write events as JSON lines (-: stdout)",
    )
    parser.add_argument(
        "--crops", type=Path, metavar="DIR", help="write a picture of each event's object"
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="keep the count here, and go on with it",
    )
    parser.add_argument(
        "--state-every", type=above_zero, default=5.0, metavar="S", help="seconds between two saves"
    )
    parser.add_argument(
        "--reset", metavar="daily@HH:MM", help="begin anew then (or hourly@MM) and report what was"
    )
    parser.add_argument(
        "--starts-at",
        metavar="TIME",
        help="wall clock of the first frame: 2026-05-01T08:00",
    )
    parser.add_argument(
        "--sample", choices=("all", "auto"), default="all", help="auto: the frames that speeds need"
    )
    parser.add_argument(
        "--max-fps", type=above_zero, metavar="N", help="look at no more frames a second"
    )
    parser.add_argument(
        "--budget-ms",
        type=above_zero,
        metavar="MS",
        help="keep a frame's latency below this: by a lower rate, then a smaller input",
    )
    parser.add_argument(
        "--reconnect",
        type=seconds,
        default=300.0,
        metavar="S",
        help="seconds to try a lost stream again, or forever",
    )
    parser.add_argument(
        "--cloud", metavar="wss://HOST:PORT", help="a tallylens server with a bigger model"
    )
    parser.add_argument(
        "--offload",
        choices=("auto", "never", "always"),
        default="auto",
        help="when to ask it (default: auto, where it is worth it)",
    )
    parser.add_argument(
        "--ca", type=Path, metavar="FILE", help="authority that signed the server's certificate"
    )
    parser.add_argument(
        "--memory",
        type=positive,
        metavar="MIB",
        help="a model that needs more asks --cloud for every frame (with --offload auto)",
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    from tallylens.counter import Counter
    from tallylens.edge_runtime.core import CounterOptions
    from tallylens.edge_runtime.counting.regions import parse_line, parse_zone
    from tallylens.edge_runtime.counting.reset_schedule import parse_moment
    from tallylens.edge_runtime.errors import UsageError
    from tallylens.edge_runtime.outputs import check_apart
    from tallylens.edge_runtime.reports.formats import check_report_paths, write_reports
    from tallylens.exit_status import DONE, INTERRUPTED

    check_report_paths(options.report)
    written = [*options.report, options.annotate, options.events, options.state]
    check_apart({"source": options.source, "model": options.model}, written)
    if options.json and options.events == Path("-"):
        raise UsageError("--json and --events - both want standard output", "Give a file to one")
    counting = CounterOptions(anchor=options.anchor)
    if options.confidence is not None:
        counting = counting.with_confidence(options.confidence)
    with Counter(
        options.model,
        lines=[parse_line(text) for text in options.line],
        zones=[parse_zone(text) for text in options.zone],
        classes=options.classes,
        any_class=options.any_class,
        imgsz=options.imgsz,
        workers=options.workers,
        options=counting,
        iou=options.iou,
        sample=options.sample,
        max_fps=options.max_fps,
        budget_ms=options.budget_ms,
        reset=options.reset,
        starts_at=None if options.starts_at is None else parse_moment(options.starts_at),
        state=options.state,
        state_every_s=options.state_every,
        events=options.events,
        crops=options.crops,
        patience_s=options.reconnect,
        on_notice=_tell,
        offload=_offload(options),
    ) as counter:
        report, error = _count(counter, options)
    try:
        write_reports(report, options.report)
    finally:
        # What was counted is shown also where it could not be written.
        _show(report, options)
    if error is not None:
        raise error
    return INTERRUPTED if report.interrupted else DONE


def _offload(options: argparse.Namespace) -> OffloadOptions | None:
    """What --cloud and its friends ask for."""
    if options.cloud is None:
        return None
    from tallylens.cloud_fallback.client.credentials import find_key
    from tallylens.cloud_fallback.client.offloader import OffloadOptions

    memory = None if options.memory is None else options.memory << 20
    return OffloadOptions(
        options.cloud, find_key(), options.offload, options.ca, memory_bytes=memory
    )


def _tell(notice: str) -> None:
    print(f"tallylens: {printable(notice)}", file=sys.stderr)


def _show(report: Report, options: argparse.Namespace) -> None:
    if options.json:
        print_json(report.as_dict())
    elif options.events != Path("-"):
        from tallylens.terminal.table import print_report

        print_report(report)


def _count(counter: Counter, options: argparse.Namespace) -> tuple[Report, TallyLensError | None]:
    """The report, and what ended the count before the source did: hours are not lost to it."""
    from tallylens.edge_runtime.errors import TallyLensError
    from tallylens.edge_runtime.reports.annotate import AnnotatedVideo
    from tallylens.terminal.progress import Progress

    with ExitStack() as stack:
        source = stack.enter_context(counter.open(options.source))
        video = None
        if options.annotate is not None:
            video = stack.enter_context(AnnotatedVideo(options.annotate, source, counter))
        if counter.frames_before:
            print(f"tallylens: going on after {counter.frames_before} frames", file=sys.stderr)
            if video is not None:
                _tell("the annotated video holds only what is counted from here on")
        progress = stack.enter_context(Progress("counting", source.frames_total, "frames"))

        def show(counted: FrameResult) -> None:
            progress.update(counted.frame.index + 1)
            if video is not None:
                video.add(counted)

        try:
            report = counter.run(source, on_frame=show)
        except TallyLensError as error:
            if not counter.frames:
                raise
            report = counter.report(interrupted=True)
            return replace(report, warnings=(*report.warnings, str(error))), error
        if report.interrupted:
            print("tallylens: interrupted; this is what was counted so far", file=sys.stderr)
        return report, None
