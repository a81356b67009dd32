"""`tallylens count --stills`: count the objects of unrelated photos, and of a single one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tallylens.commands.arguments import class_names, print_json, tell
from tallylens.edge_runtime.text import printable

if TYPE_CHECKING:
    from tallylens.edge_runtime.core import CounterOptions
    from tallylens.edge_runtime.counting.regions import Zone

# The options that need tracking, and have no meaning for photos.
TRACKING = (
    *("line", "zone", "annotate", "show", "events", "crops", "state", "sink", "interval"),
    *("detections", "cloud"),
)


def is_photo(options: argparse.Namespace) -> bool:
    """Whether the source is one image, of which only the number of objects is asked.

    With --json or --report it stays a video of one frame, as the documents for scripts describe it.
    """
    from tallylens.edge_runtime.sources.images import SUFFIXES

    if options.json or options.report or any(getattr(options, name) for name in TRACKING):
        return False
    path = Path(options.source)
    return path.suffix.lower() in SUFFIXES and path.is_file()


def run_stills(options: argparse.Namespace, counting: CounterOptions) -> int:
    """Count unrelated photos; returns the exit status."""
    from tallylens.edge_runtime.counting.detection_filter import detection_filter
    from tallylens.edge_runtime.errors import UsageError
    from tallylens.exit_status import DONE
    from tallylens.stills import check_stills_reports, count_stills, write_stills_reports
    from tallylens.terminal.progress import Progress

    given = [f"--{name}" for name in TRACKING if getattr(options, name)]
    if given:
        raise UsageError(
            f"--stills does not work with {' and '.join(given)}", "Photos are counted one by one"
        )
    check_stills_reports(options.report)
    if not options.stills:
        tell("one image: its objects are counted without tracking, as with --stills")
    with Progress("counting", None, "images") as progress:
        report = count_stills(
            options.source,
            options.model,
            classes=options.classes,
            any_class=options.any_class,
            imgsz=options.imgsz,
            options=counting,
            iou=options.iou,
            only=detection_filter(ignored(options), options.min_size, options.max_size),
            class_names=class_names(options),
            previews=any(path.suffix.lower() == ".html" for path in options.report),
            on_image=progress.update,
        )
    write_stills_reports(report, options.report)
    if options.json:
        print_json(report.as_dict())
        return DONE
    for name, counts in (*report.images, ("in total", report.counts)):
        shown = ", ".join(f"{number} {label}" for label, number in counts.items()) or "nothing"
        print(f"{printable(name)}: {printable(shown)}")
    for warning in report.warnings:
        tell(warning)
    return DONE


def ignored(options: argparse.Namespace) -> list[Zone]:
    """The zones of --ignore."""
    from tallylens.edge_runtime.counting.regions import Zone

    return [Zone.parse(text, "--ignore") for text in options.ignore]
