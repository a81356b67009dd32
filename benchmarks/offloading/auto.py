"""The benefit of `auto` on a slow link: agreement with the bigger model, and bytes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tallylens import Counter
from tallylens.cloud_fallback.client.offloader import Offloader, OffloadOptions
from tallylens.edge_runtime.boxes import box_iou
from tallylens.edge_runtime.detection.detector import Detector
from tallylens.edge_runtime.detection.pipeline import detect_in_order
from tallylens.edge_runtime.engines import open_engine
from tallylens.edge_runtime.sources import open_source
from tallylens.edge_runtime.types import Detections, Frame

from .link import Link
from .work import Row, Work, free_port, small_model


def agreement(found: Detections, truth: Detections) -> tuple[int, int, int]:
    """Boxes above 0.25 of one class that overlap by half: (agreed, found, true)."""
    a, b = (
        (one.xyxy[one.confidence >= 0.25], one.class_id[one.confidence >= 0.25])
        for one in (found, truth)
    )
    agreed, free = 0, set(range(len(b[0])))
    overlaps = box_iou(a[0], b[0]) if len(a[0]) and len(b[0]) else np.zeros((len(a[0]), 0))
    for i, row in enumerate(overlaps):
        for j in np.argsort(-row):
            if row[j] < 0.5:
                break
            if j in free and a[1][i] == b[1][j]:
                free.remove(j)
                agreed += 1
                break
    return agreed, len(a[0]), len(b[0])


def auto(work: Work) -> Iterator[Row]:
    """320 int8 here, 640 float there, 2 Mbit/s and 80 ms between: agreement with the big model."""
    settings = work.settings
    small, big, port = small_model(work), work.model("384x640"), free_port()
    with Counter(big) as counter:
        truth = [one.detections for one in counter.watch(str(settings.video))]
    always_bytes = 0.0
    with work.server(big, port):
        for mode in ("never", "always", "auto"):
            link = Link(port, 2e6 / 8, 0.08)
            options = work.options(link.port, mode=mode, deadline_s=settings.deadline_s)
            found, report = through(small, options, paced(settings.video, settings.pace))
            agreed, seen, true = np.sum(list(map(agreement, found, truth)), axis=0)
            always_bytes = report["sent_bytes"] if mode == "always" else always_bytes
            yield {
                "mode": mode,
                "F1 with big": float(2 * agreed / (seen + true)),
                "bytes": report["sent_bytes"],
                "of always": report["sent_bytes"] / always_bytes if always_bytes else 0.0,
                "cloud": report["frames"]["cloud"],
                "missed": report["missed_deadlines"],
                "late": report["late"],
                "rejected": report["rejected"],
                "longest ms": report["longest_frame_ms"],
                "decisions": {one["reason"]: one["frames"] for one in report["decisions"]},
            }


def through(
    small: Path, options: OffloadOptions, frames: Iterator[Frame]
) -> tuple[list[Detections], dict[str, Any]]:
    """The detections of a device that may ask the cloud, and its report of that."""
    with contextlib.ExitStack() as stack:
        local = [Detector(stack.enter_context(open_engine(small)))]
        names = local[0].engine.metadata.class_names
        offloader = Offloader(local, names, options, live=True)
        stack.callback(offloader.close)
        offloader.start()
        found = [one for _, one in detect_in_order(offloader.workers(), frames)]
        return found, offloader.report()


def paced(video: Path, pace: float) -> Iterator[Frame]:
    """The frames of a video when a camera would have taken them; or slower, at a lower pace."""
    with open_source(video) as frames:
        begun = None
        for frame in frames:
            taken = frame.timestamp_ns / 1e9 / pace
            begun = begun if begun is not None else time.monotonic() - taken
            time.sleep(max(0.0, begun + taken - time.monotonic()))
            yield frame
