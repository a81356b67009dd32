"""The options of `tallylens count`, in the groups that `--help` shows."""

from __future__ import annotations

import argparse
from pathlib import Path

from tallylens.commands.arguments import (
    above_zero,
    add_imgsz,
    add_json,
    add_names,
    add_workers,
    anchor,
    fraction,
    interval,
    names,
    positive,
    seconds,
    seconds_of_a_day,
)


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which model detects, and how."""
    group = parser.add_argument_group("model")
    group.add_argument(
        "--model",
        default="yolov5n",
        help="model file (.tflite, .onnx, .pt), or a name that `tallylens models list` shows "
        "(default: yolov5n)",
    )
    add_imgsz(group)
    add_names(group)
    group.add_argument(
        "--confidence",
        type=fraction,
        metavar="C",
        help="minimum confidence: of the detection that starts a track (default: 0.4) and of a "
        "track's average to be counted (default: 0.35)",
    )
    group.add_argument(
        "--iou",
        type=fraction,
        metavar="U",
        help="IoU threshold of NMS: boxes of one class that overlap by more are one object "
        "(default: 0.45)",
    )


def add_counting(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is counted, and where."""
    group = parser.add_argument_group("what to count")
    group.add_argument(
        "--line",
        action="append",
        default=[],
        metavar="x1,y1,x2,y2[,name][,in=NAME][,out=NAME][,extend]",
        help="count crossings of this line, in each direction; with `extend` also beyond its ends",
    )
    group.add_argument(
        "--zone",
        action="append",
        default=[],
        metavar="x1,y1,x2,y2,x3,y3...[,name][,dwell=S]",
        help="count objects inside this polygon and visits to it; with dwell=S only visits of at "
        "least S seconds",
    )
    group.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="x1,y1,x2,y2,x3,y3...[,name]",
        help="do not count objects while they are in this polygon (parked cars, mirrors, screens); "
        "may be repeated",
    )
    group.add_argument(
        "--min-size",
        type=above_zero,
        metavar="S",
        help="ignore detections smaller than S: the side of a square of the box's area, a fraction "
        "of the frame's shorter side if <= 1, else pixels",
    )
    group.add_argument(
        "--max-size", type=above_zero, metavar="S", help="ignore detections larger than S"
    )
    group.add_argument("--classes", type=names, metavar="car,bus", help="count only these classes")
    group.add_argument(
        "--stills",
        action="store_true",
        help="count each image of a folder of unrelated photos; sizes may differ",
    )
    group.add_argument(
        "--any-class", action="store_true", help="count all classes as one, named `object`"
    )
    group.add_argument(
        "--anchor",
        type=anchor,
        metavar="bottom-center|center|top-center",
        default="bottom-center",
        help="point of the box that crosses lines and enters zones (default: bottom-center)",
    )
    group.add_argument(
        "--remember",
        type=seconds_of_a_day,
        metavar="S",
        help="keep an object that stood still for S seconds while it is hidden (default: 30); "
        "a moving one is kept for up to 3 s",
    )
    group.add_argument(
        "--reset",
        metavar="daily@HH:MM",
        help="reset totals at this time (or hourly@MM); each period is reported",
    )
    group.add_argument(
        "--starts-at",
        metavar="TIME",
        help="wall-clock time of the first frame of a video, such as 2026-05-01T08:00",
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the options that name what is written."""
    group = parser.add_argument_group("output")
    group.add_argument(
        "--report",
        action="append",
        default=[],
        type=Path,
        metavar="FILE.html|.json|.jsonl|.csv",
        help="write a report of the totals to FILE; may be repeated",
    )
    group.add_argument(
        "--interval",
        type=interval,
        metavar="15m",
        help="write the counts of each interval (30s, 15m, 1h) to --report FILE.csv as it ends",
    )
    group.add_argument(
        "--annotate", type=Path, metavar="OUT.mp4", help="write the video with boxes and counts"
    )
    group.add_argument(
        "--show",
        action="store_true",
        help="show the annotated frames in a window; Escape closes it, and the count continues",
    )
    group.add_argument(
        "--events",
        type=Path,
        metavar="FILE.jsonl",
        help="write each event as one JSON line (-: to standard output)",
    )
    group.add_argument(
        "--crops", type=Path, metavar="DIR", help="save a crop of the object of each event"
    )
    group.add_argument(
        "--detections",
        type=Path,
        metavar="OUT.npz",
        help="record what the detector finds; `tallylens count OUT.npz` counts it again, without "
        "a model",
    )
    group.add_argument(
        "--sink",
        action="append",
        default=[],
        metavar="mqtt://HOST|https://HOST/PATH|sqlite:///FILE.db",
        help="send events and periods to a broker, a webhook or a database; may be repeated",
    )
    group.add_argument(
        "--spool",
        type=Path,
        metavar="DIR",
        help="keep what a --sink could not deliver in DIR, for the next count (default with "
        "--state: FILE.spool)",
    )
    group.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="save progress to FILE, and resume from it if it exists",
    )
    group.add_argument(
        "--state-every",
        type=above_zero,
        default=5.0,
        metavar="S",
        help="seconds between saves of --state (default: 5)",
    )
    add_json(group)


def add_speed(parser: argparse.ArgumentParser) -> None:
    """Add the options of live sources and of speed."""
    group = parser.add_argument_group("live sources and speed")
    add_workers(group)
    group.add_argument(
        "--sample",
        choices=("all", "auto"),
        default="all",
        help="auto: skip frames that tracking does not need (high-fps video); default: all",
    )
    group.add_argument(
        "--max-fps", type=above_zero, metavar="N", help="process at most N frames per second"
    )
    group.add_argument(
        "--budget-ms",
        type=above_zero,
        metavar="MS",
        help="keep the latency per frame below MS: by a lower frame rate, then by a smaller input",
    )
    group.add_argument(
        "--reconnect",
        type=seconds,
        default=300.0,
        metavar="S",
        help="keep reconnecting to a lost stream for S seconds, or `forever` (default: 300)",
    )


def add_cloud(parser: argparse.ArgumentParser) -> None:
    """Add the options of the cloud fallback."""
    group = parser.add_argument_group("cloud")
    group.add_argument(
        "--cloud",
        metavar="wss://HOST:PORT",
        help="server (`tallylens serve`) with a larger model; needs TALLYLENS_API_KEY",
    )
    group.add_argument(
        "--offload",
        choices=("auto", "never", "always"),
        default="auto",
        help="when to send frames to --cloud; auto: when it improves the count (default)",
    )
    group.add_argument(
        "--ca", type=Path, metavar="FILE", help="CA certificate (PEM) to verify the server with"
    )
    group.add_argument(
        "--memory",
        type=positive,
        metavar="MIB",
        help="memory budget of the local model; above it every frame goes to --cloud "
        "(with --offload auto)",
    )
