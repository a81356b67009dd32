"""`tallylens count`: count the objects of a video, images, a camera or a stream."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tallylens.commands.arguments import class_names, print_json, tell
from tallylens.commands.count_arguments import (
    add_cloud,
    add_counting,
    add_model,
    add_output,
    add_speed,
)
from tallylens.commands.count_stills import ignored, is_photo, run_stills
from tallylens.edge_runtime.text import printable

if TYPE_CHECKING:
    from tallylens.cloud_fallback.client.offloader import OffloadOptions
    from tallylens.counter import Counter, FrameResult
    from tallylens.edge_runtime.counting.report import Report
    from tallylens.edge_runtime.counting.sinks import Sink
    from tallylens.edge_runtime.errors import TallyLensError
    from tallylens.interruption import Interruption

NAME = "count"
NEED_IMAGES = (
    "annotate",
    "show",
    "crops",
    "imgsz",
    "names_file",
    "iou",
    "workers",
    "sample",
    "max_fps",
    "budget_ms",
    "cloud",
)
HELP = "Count the objects in a video, images, a camera or a stream."
EXAMPLES = """examples:
  tallylens count street.mp4 --model yolov5n.pt --line 0,0.6,1,0.6 --classes car,truck,bus
  tallylens count shop.mp4 --zone 0.1,0.5,0.6,0.5,0.6,1,0.1,1,queue --report shop.csv
  tallylens count 0 --annotate camera.mp4
  tallylens count street.mp4 --detections street.npz
  tallylens count street.npz --line 0,0.6,1,0.6
  tallylens count rtsp://camera/1 --line 0,0.6,1,0.6,road,in=southbound,out=northbound \\
      --events road.jsonl --state road.state --reset daily@00:00 --report road.html

Coordinates are fractions of width and height if all are <= 1, else pixels. A line drawn from left
to right counts downward movement as `in`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        help="video file, folder or glob of images, camera number, rtsp/http URL, or .npz file of "
        "recorded detections",
    )
    add_model(parser)
    add_counting(parser)
    add_output(parser)
    add_speed(parser)
    add_cloud(parser)


def run(options: argparse.Namespace) -> int:
    from tallylens.interruption import Interruption
    from tallylens.terminal.streams import ignore_lost_terminal

    ignore_lost_terminal()
    with Interruption() as interruption:
        return _run(options, interruption)


def _run(options: argparse.Namespace, interruption: Interruption) -> int:
    from tallylens.counter import Counter
    from tallylens.edge_runtime.core import CounterOptions
    from tallylens.edge_runtime.counting.regions import Line, Zone
    from tallylens.edge_runtime.counting.reset_schedule import parse_moment
    from tallylens.edge_runtime.errors import UsageError
    from tallylens.edge_runtime.outputs import check_apart
    from tallylens.edge_runtime.reports.formats import check_report_paths, write_reports
    from tallylens.edge_runtime.sources.recorded import is_recorded
    from tallylens.exit_status import DONE, INTERRUPTED, READER_ENDED
    from tallylens.interruption import exit_status
    from tallylens.terminal.event_output import EventOutput

    check_report_paths(options.report)
    written = [
        *options.report,
        options.annotate,
        options.events,
        options.state,
        options.detections,
    ]
    check_apart({"source": options.source, "model": options.model}, written)
    if is_recorded(options.source):
        _check_recorded(options)
    if options.json and options.events == Path("-"):
        raise UsageError(
            "--json and --events - both write to standard output", "Name a file with --events"
        )
    others = [*options.report, options.annotate, options.state, options.crops]
    output = EventOutput(continues=any(others)) if options.events == Path("-") else None
    counting = CounterOptions(anchor=options.anchor)
    if options.confidence is not None:
        counting = counting.with_confidence(options.confidence)
    if options.model == "demo":
        tell("the model demo detects drawn streets only; for other images give a trained model")
    if options.stills or is_photo(options):
        return run_stills(options, counting)
    if options.remember is not None:
        counting = replace(counting, remember_s=options.remember)
    with Counter(
        options.model,
        lines=[Line.parse(text) for text in options.line],
        zones=[Zone.parse(text) for text in options.zone],
        ignore=ignored(options),
        min_size=options.min_size,
        max_size=options.max_size,
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
        detections=options.detections,
        patience_s=options.reconnect,
        on_notice=tell,
        offload=_offload(options),
        class_names=class_names(options),
    ) as counter:
        if output is not None:
            output.stop = counter.stop
        interruption.stop = counter.stop
        for sink in (*_intervals(options), *_sinks(options), *_window(options)):
            counter.add_sink(sink)
        report, error = _count(counter, options)
    try:
        write_reports(report, [one for one in options.report if not _is_by_interval(one, options)])
    finally:
        # The counts are printed even if a report cannot be written.
        _show(report, options)
    if error is not None:
        raise error
    if interruption.received is not None:
        return exit_status(interruption.received)
    if output is not None and output.lost:
        return READER_ENDED
    return INTERRUPTED if report.interrupted else DONE


def _check_recorded(options: argparse.Namespace) -> None:
    """Refuse the options that need images or a model.

    Raises:
        UsageError: one of them is set.
    """
    from tallylens.edge_runtime.errors import UsageError

    for name in NEED_IMAGES:
        if getattr(options, name) not in (None, "all", False):
            flag = name.removesuffix("_file").replace("_", "-")
            raise UsageError(
                f"--{flag} needs the images, and {options.source} holds detections only",
                "Count the video itself",
            )


def _offload(options: argparse.Namespace) -> OffloadOptions | None:
    """The cloud options, or None without --cloud."""
    if options.cloud is None:
        return None
    from tallylens.cloud_fallback.client.credentials import find_key
    from tallylens.cloud_fallback.client.offloader import OffloadOptions

    memory = None if options.memory is None else options.memory << 20
    return OffloadOptions(
        options.cloud, find_key(), options.offload, options.ca, memory_bytes=memory
    )


def _is_by_interval(path: Path, options: argparse.Namespace) -> bool:
    return options.interval is not None and path.suffix.lower() == ".csv"


def _intervals(options: argparse.Namespace) -> Sequence[Sink]:
    """The CSV files of --interval, which are written while counting."""
    from tallylens.edge_runtime.counting.interval_counts import IntervalCounts
    from tallylens.edge_runtime.errors import UsageError

    files = [path for path in options.report if _is_by_interval(path, options)]
    if options.interval is not None and not files:
        raise UsageError("--interval is for CSV reports", "Add --report FILE.csv")
    return [IntervalCounts(path, options.interval) for path in files]


def _sinks(options: argparse.Namespace) -> Sequence[Sink]:
    """The sinks of --sink; with --state, what they could not deliver is kept beside it."""
    if not options.sink:
        return ()
    from tallylens.sinks import open_sinks

    spool = options.spool
    if spool is None and options.state is not None:
        spool = options.state.with_name(f"{options.state.name}.spool")
    return open_sinks(options.sink, spool=spool, on_notice=tell)


def _window(options: argparse.Namespace) -> Sequence[Sink]:
    """The window of --show."""
    if not options.show:
        return ()
    from tallylens.edge_runtime.reports.window import LiveWindow

    return (LiveWindow(f"tallylens {printable(options.source, 80)}", tell),)


def _show(report: Report, options: argparse.Namespace) -> None:
    if options.json:
        print_json(report.as_dict())
        return
    from tallylens.terminal.table import print_report, print_report_on_stderr

    if options.events != Path("-"):
        print_report(report)
    elif report.interrupted:
        print_report_on_stderr(report)


def _count(
    counter: Counter, options: argparse.Namespace
) -> tuple[Report, TallyLensError | OSError | None]:
    """The report, and the error that ended the count early, so that hours of counting are kept."""
    from tallylens.edge_runtime.errors import TallyLensError
    from tallylens.edge_runtime.reports.annotate import AnnotatedVideo
    from tallylens.edge_runtime.sources import Source
    from tallylens.terminal.progress import Progress

    error: TallyLensError | OSError | None = None
    report: Report | None = None
    try:
        with ExitStack() as stack:
            source = counter.open(options.source)
            stack.callback(source.close)
            video = None
            if options.annotate is not None:
                assert isinstance(source, Source), "refused for recorded detections"
                video = stack.enter_context(AnnotatedVideo(options.annotate, source))
                counter.add_sink(video)
            if counter.frames_before:
                print(f"tallylens: resuming after {counter.frames_before} frames", file=sys.stderr)
                if video is not None:
                    tell("the annotated video starts where the count resumes")
            progress = stack.enter_context(Progress("counting", source.frames_total, "frames"))

            def show(result: FrameResult) -> None:
                progress.update(result.frame.index + 1)

            try:
                report = counter.run(source, on_frame=show)
            except (TallyLensError, OSError) as ended_by:
                if not counter.frames:
                    raise
                error, report = ended_by, counter.report(interrupted=True)
        counter.close()
    except (TallyLensError, OSError) as unwritten:
        # Files that are complete at the end only, such as the annotated video, are written there.
        if report is None:
            raise
        error = error or unwritten
    if error is not None:
        return replace(report, warnings=(*report.warnings, str(error))), error
    if report.interrupted:
        print("tallylens: interrupted; these are the counts so far", file=sys.stderr)
    return report, None
