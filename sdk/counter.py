"""`Counter`, the main class: a model, lines and zones, and what they count in a source."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Literal, Self

from tallylens.count_setup import CountSetup
from tallylens.counter_arguments import (
    checked_detections,
    checked_frame_size,
    checked_model,
    checked_moment,
    checked_names,
    checked_number,
    checked_options,
    checked_regions,
    checked_size,
    checked_time,
    checked_workers,
    checked_zones,
)
from tallylens.detectors import decoder_options
from tallylens.edge_runtime.core import CounterOptions
from tallylens.edge_runtime.counting.counting_options import counting_options
from tallylens.edge_runtime.counting.detection_file import DetectionFile
from tallylens.edge_runtime.counting.detection_filter import detection_filter
from tallylens.edge_runtime.counting.events import event_sinks
from tallylens.edge_runtime.counting.regions import Line, Region, Zone
from tallylens.edge_runtime.counting.report import Report
from tallylens.edge_runtime.counting.reset_schedule import parse_schedule
from tallylens.edge_runtime.counting.saved_count import SAVE_INTERVAL_S, SavedCount
from tallylens.edge_runtime.counting.session import CountSession, check_frame
from tallylens.edge_runtime.counting.sinks import FrameResult, Sink
from tallylens.edge_runtime.counting.state_file import StateFile
from tallylens.edge_runtime.counting.state_lock import StateLock
from tallylens.edge_runtime.counting.totals import Totals
from tallylens.edge_runtime.detection.pipeline import usable_cores
from tallylens.edge_runtime.errors import UsageError
from tallylens.edge_runtime.rate_control.rate_limits import RateLimits
from tallylens.edge_runtime.sources import (
    PATIENCE_S,
    LiveOptions,
    Source,
    SourceSpec,
    no_notice,
    open_source,
)
from tallylens.edge_runtime.sources.recorded import RecordedDetections, is_recorded
from tallylens.edge_runtime.types import Detections, Image, Tracks

__all__ = ["Counter", "FrameResult"]

if TYPE_CHECKING:
    from tallylens.cloud_fallback.client.offloader import OffloadOptions


class Counter:
    """Counts the objects of one source.

    Example:
        >>> import numpy as np
        >>> from tallylens import Counter, Line
        >>> black = np.zeros((360, 640, 3), np.uint8)
        >>> with Counter("demo", lines=[Line(0, 0.6, 1, 0.6, "road")]) as counter:
        ...     report = counter.run([(0, black), (40_000_000, black)])
        >>> report.frames, report.lines[0].crossed_in
        (2, {})

    Args:
        model: a .tflite, .onnx or .pt file, or a name in the model store. A checkpoint is
            converted once and cached.
        lines: where crossings are counted.
        zones: where presence and dwell times are counted.
        classes: names of the classes to count; None counts all.
        any_class: count every detection as one class, `object`.
        ignore: zones; a detection whose anchor point is in one is neither tracked nor counted.
        min_size: smaller detections are neither tracked nor counted. The size is the side of a
            square of the box's area: a fraction of the frame's shorter side if <= 1, else pixels.
        max_size: larger detections are neither tracked nor counted.
        imgsz: (height, width) of the model's input, or one number for both, for checkpoints; None
            takes the rectangle with sides of at most 640 pixels that fits the source.
        workers: frames processed in parallel; None takes one per core for files and one for live
            sources.
        options: thresholds of tracking and counting.
        iou: boxes of one class that overlap by more are one object (NMS); None takes 0.45.
        sample: `all` frames, or `auto`: only those that the speed of the objects needs.
        max_fps: process at most this many frames per second of capture time.
        budget_ms: maximum latency of a frame, kept by a lower rate and then by smaller inputs.
        reset: when totals are reset, `daily@HH:MM` or `hourly@MM`.
        starts_at: wall clock of the first frame in nanoseconds since 1970, for a source without
            one of its own.
        state: a file that the count is saved to, and resumed from if it exists. One process at a
            time uses it; for another, UnavailableError is raised.
        state_every_s: minimum seconds between two saves.
        events: a file for the stream of events, `-` for standard output.
        crops: a folder for an image of each event's object.
        detections: an .npz file that records what the detector found, to be counted again.
        patience_s: seconds without a frame after which a live source counts as lost.
        offload: a server with a bigger model, and when to ask it.
        on_notice: receives sentences about live sources, the governor and the cloud.
        regions: more lines and zones, or regions of other kinds.
        class_names: by class id, in place of those of the model; for models without names.

    A counter counts one source. Use it as a context manager, or call `close`, to free memory.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = "yolov5n",
        *,
        lines: Sequence[Line] = (),
        zones: Sequence[Zone] = (),
        classes: Iterable[str] | None = None,
        any_class: bool = False,
        imgsz: int | tuple[int, int] | None = None,
        workers: int | None = None,
        options: CounterOptions | None = None,
        iou: float | None = None,
        sample: Literal["all", "auto"] = "all",
        max_fps: float | None = None,
        budget_ms: float | None = None,
        reset: str | None = None,
        starts_at: int | None = None,
        state: str | os.PathLike[str] | None = None,
        state_every_s: float = SAVE_INTERVAL_S,
        events: str | os.PathLike[str] | None = None,
        crops: str | os.PathLike[str] | None = None,
        detections: str | os.PathLike[str] | None = None,
        patience_s: float = PATIENCE_S,
        on_notice: Callable[[str], None] = no_notice,
        offload: OffloadOptions | None = None,
        regions: Sequence[Region] = (),
        ignore: Sequence[Zone] = (),
        min_size: float | None = None,
        max_size: float | None = None,
        class_names: Sequence[str] | None = None,
    ) -> None:
        checked_number("state_every_s", state_every_s, 0)
        if iou is not None:
            checked_number("iou", iou, 0, 1)
        sizes = {"min_size": min_size, "max_size": max_size}
        for name, value in {**sizes, "max_fps": max_fps, "budget_ms": budget_ms}.items():
            if value is not None:
                checked_number(name, value)
        options = checked_options(options)
        self._state_lock = None if state is None else StateLock(Path(state))
        sinks = event_sinks(events, crops)
        if detections is not None:
            sinks.append(DetectionFile(Path(detections)))
        self._workers = checked_workers(workers)
        self._setup = CountSetup(
            model=checked_model(model),
            imgsz=checked_size(imgsz),
            class_names=checked_names("class_names", class_names),
            decoding=decoder_options(options, iou, any_class),
            counting=counting_options(
                checked_regions(lines=lines, zones=zones, regions=regions),
                checked_names("classes", classes),
                any_class,
                options,
                detection_filter(checked_zones("ignore", ignore), min_size, max_size),
            ),
            limits=RateLimits(max_fps, budget_ms, sample, on_notice),
            schedule=None if reset is None else parse_schedule(str(reset)),
            starts_at=checked_moment(starts_at),
            saved=None if state is None else SavedCount(StateFile(Path(state)), state_every_s),
            written=[None if one is None else Path(one) for one in (events, state, detections)],
            sinks=sinks,
            live=LiveOptions(checked_number("patience_s", patience_s, 0), on_notice),
            offload=offload,
        )
        self._given: tuple[Sequence[str], tuple[int, int]] | None = None
        # Two threads that update one counter: one frame after the other.
        self._lock = RLock()

    @classmethod
    def from_detections(
        cls,
        class_names: Sequence[str],
        size: tuple[int, int],
        *,
        lines: Sequence[Line] = (),
        zones: Sequence[Zone] = (),
        regions: Sequence[Region] = (),
        classes: Iterable[str] | None = None,
        any_class: bool = False,
        options: CounterOptions | None = None,
        reset: str | None = None,
        starts_at: int | None = None,
        state: str | os.PathLike[str] | None = None,
        state_every_s: float = SAVE_INTERVAL_S,
        events: str | os.PathLike[str] | None = None,
        ignore: Sequence[Zone] = (),
        min_size: float | None = None,
        max_size: float | None = None,
    ) -> Self:
        """A counter of any detector's boxes, without a model: see `update_detections`.

        Example:
            >>> import numpy as np
            >>> from tallylens import Counter, Detections, Line
            >>> counter = Counter.from_detections(["car"], (640, 360), lines=[Line(0, 0.6, 1, 0.6)])
            >>> for i in range(20):
            ...     box = np.array([[300, 100 + 10 * i, 340, 130 + 10 * i]], np.float32)
            ...     car = Detections(box, np.array([0.9], np.float32), np.array([0], np.int32))
            ...     tracks = counter.update_detections(car, timestamp_s=i / 25)
            >>> counter.report().lines[0].crossed_in
            {'car': 1}

        Args:
            class_names: by class id.
            size: (width, height) of the frames in pixels.

        The other arguments are those of `Counter`.
        """
        names, frame_size = checked_names("class_names", class_names), checked_frame_size(size)
        counter = cls(
            "detections",
            lines=lines,
            zones=zones,
            regions=regions,
            classes=classes,
            any_class=any_class,
            options=options,
            reset=reset,
            starts_at=starts_at,
            state=state,
            state_every_s=state_every_s,
            events=events,
            ignore=ignore,
            min_size=min_size,
            max_size=max_size,
        )
        counter._given = names or [], frame_size
        return counter

    def run(
        self,
        source: SourceSpec | Source | RecordedDetections,
        *,
        on_frame: Callable[[FrameResult], None] | None = None,
    ) -> Report:
        """Count `source` to its end, or until Ctrl-C: then the report says `interrupted`.

        Args:
            source: a video file, a folder or glob of images, a camera index, an rtsp or http URL,
                pairs of (timestamp in nanoseconds, (height, width, 3) uint8 BGR), or an .npz of
                recorded detections, which needs no model.
            on_frame: called after each frame, in order.

        Raises:
            SourceError: nothing can be read.
            ModelError: the model cannot be used.
            StateError: the state file is damaged, or of another count.
            UsageError: this counter has counted before.
            KeyboardInterrupt: Ctrl-C before the first frame, when there is nothing to report.
        """
        with self._opened(source) as (session, frames):
            report = session.run(frames, on_frame=on_frame)
        return self._setup.complete(report)

    def watch(self, source: SourceSpec | Source | RecordedDetections) -> Generator[FrameResult]:
        """Count `source` as `run` does, and yield each frame's result, in capture order."""
        with self._opened(source) as (session, frames):
            yield from session.watch(frames)

    def stop(self) -> bool:
        """End `run` or `watch` after the frames in progress; the report says `interrupted`.

        Safe in a signal handler and in any thread. Returns False, without any effect, while
        nothing has been counted: the source is not open, or the model is not ready.
        """
        if self._setup.session is None:
            return False
        self._setup.session.stop()
        return True

    def open(self, source: SourceSpec) -> Source | RecordedDetections:
        """Open `source` at the frame where the count resumes, for `run` or `watch`."""
        saved, live = self._setup.saved, self._setup.live
        if isinstance(source, str | os.PathLike) and is_recorded(source):
            return RecordedDetections(source, 0 if saved is None else saved.next_index)
        if saved is None:
            return open_source(source, live=live)
        live = replace(live, epoch_ns=saved.epoch_ns, after_ns=saved.last_ns)
        return open_source(source, start=saved.next_index, live=live)

    def update(self, image: Image, timestamp_s: float) -> Tracks:
        """Count one frame and return its confirmed tracks.

        Args:
            image: (height, width, 3) uint8 BGR, of the same size each time.
            timestamp_s: capture time in seconds from any origin, later than the frame before.

        Raises:
            TimestampError: not later than the frame before.
            SourceError: not such an image, or of another size than before.
            UsageError: `timestamp_s` is not a time, or the counter is closed.
        """
        if self._given is not None:
            raise UsageError("this counter has no model", "Use update_detections")
        timestamp_s = checked_time(timestamp_s)
        with self._lock:
            check_frame(image, timestamp_s, self.frames)
            height, width = image.shape[:2]
            session = self._setup.of_frames("frames", (width, height), 1, None, True)
            return session.update(image, timestamp_s)

    def update_detections(self, detections: Detections, timestamp_s: float) -> Tracks:
        """Count the detections of one frame and return its confirmed tracks.

        Args:
            detections: of any detector, in pixels of the frame; also frames without any are given.
            timestamp_s: capture time in seconds from any origin, later than the frame before.

        Raises:
            TimestampError: not later than the frame before.
            UsageError: not such detections, `timestamp_s` is not a time, or the counter was not
                made by `from_detections`.
        """
        if self._given is None:
            raise UsageError("this counter has a model", "Use Counter.from_detections")
        detections, timestamp_s = checked_detections(detections), checked_time(timestamp_s)
        with self._lock:
            session = self._setup.of_detections("detections", *self._given)
            return session.update_detections(detections, timestamp_s)

    def conclude(self) -> FrameResult | None:
        """After the last `update`: count what only the end decides, such as an object that is just
        behind a line and moves on. `run` and `watch` do it for sources that end.

        Returns the last frame's result with the events of this, None if there are none.
        """
        return self._setup.counted.conclude()

    def add_sink(self, sink: Sink) -> None:
        """Let `sink` receive the result of each frame; call it before the first."""
        self._setup.sinks.append(sink)

    @contextmanager
    def _opened(
        self, source: SourceSpec | Source | RecordedDetections
    ) -> Iterator[tuple[CountSession, Source | RecordedDetections]]:
        if self._setup.session is not None:
            raise UsageError(
                f"this counter has counted {self._setup.session.source_name} already",
                "Make a new Counter for each source",
            )
        with (
            source
            if isinstance(source, Source | RecordedDetections)
            else self.open(source) as frames
        ):
            if isinstance(frames, RecordedDetections):
                yield (
                    self._setup.of_detections(frames.name, frames.class_names, frames.size),
                    frames,
                )
                return
            if self._given is not None:
                raise UsageError("this counter has no model", "Use Counter(model) for images")
            workers = 1 if frames.live else self._workers or usable_cores()
            session = self._setup.of_frames(
                frames.name, frames.size, workers, frames.epoch_ns, frames.live
            )
            yield session, frames

    @property
    def frames(self) -> int:
        """Frames counted so far, including those of a resumed count."""
        session = self._setup.session
        return 0 if session is None else session.frames

    @property
    def frames_before(self) -> int:
        """Frames that the state file has counted already."""
        saved = self._setup.saved
        return 0 if saved is None else saved.frames

    @property
    def totals(self) -> Totals:
        """The totals so far; raises UsageError before the first frame."""
        return self._setup.counted.totals

    def stage_totals_ns(self) -> tuple[int, int, int, int]:
        """Nanoseconds so far of letterbox, inference, decode and NMS, tracking and counting.

        With several workers the first three run at the same time, so their sum exceeds the clock.
        """
        return self._setup.counted.stage_totals_ns()

    def report(self, *, interrupted: bool = False) -> Report:
        """The totals so far as a report, also from another thread while `run` or `update` counts.

        Raises:
            UsageError: before the first frame.
        """
        return self._setup.complete(self._setup.counted.report(interrupted=interrupted))

    def close(self) -> None:
        """Free the engines and the state file; the report is still there."""
        self._setup.close()
        if self._state_lock is not None:
            self._state_lock.release()

    def __enter__(self) -> Counter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
