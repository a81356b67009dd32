"""A counting session: one source's frames through detectors to totals, sinks and a report."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from threading import RLock
from typing import Unpack

import numpy as np

from ..detection.detector import Timing
from ..detection.pipeline import Detects, detect_in_order
from ..errors import SourceError, UsageError
from ..rate_control.frame_filter import FrameFeedback, FrameFilter, FrameFilters
from ..sources import Source
from ..sources.iterable import is_picture
from ..sources.recorded import RecordedDetections
from ..types import Detections, Frame, FrameTime, Image, Tracks
from .counting_options import CountingOptions
from .events import wall_clock
from .frame_counter import FrameCounter
from .history import History
from .period_totals import by_kind
from .periods import Periods
from .report import Report
from .reset_schedule import Schedule
from .saved_count import SavedCount
from .sinks import FrameResult, Sink
from .speed_meter import SpeedMeter
from .totals import Totals

MAX_SECONDS = 9e9  # of 64 bits of nanoseconds


class CountSession:
    """Counts the objects of one source with detectors that are ready.

    Example:
        >>> import numpy as np
        >>> from tallylens import Line
        >>> from tallylens.edge_runtime.counting.session import CountSession
        >>> from tallylens.testing import FakeDetector
        >>> image = np.zeros((100, 100, 3), np.uint8)
        >>> with CountSession("camera", [FakeDetector()], ["car"], (100, 100)) as session:
        ...     tracks = session.update(image, timestamp_s=0.0)
        >>> session.report().frames
        1

    Args:
        source_name: the source's name, which a saved count must agree with.
        detectors: one per frame that is processed at a time; may be replaced before the first.
        class_names: of the detectors' class ids.
        frame_size: (width, height) of all frames.
        model, engine: names for the report.
        timing: reads the detectors' stage times so far.
        filters: rate control, asked before each frame of `run` and `watch`.
        sinks: receive each frame's result, in order.
        saved: where the count is saved, and resumed from.
        schedule: when totals are reset.
        epoch_ns: wall clock of timestamp 0 in nanoseconds since 1970, None if unknown.
        starts_at: wall clock of the first frame, for a source without `epoch_ns`.
        counting: lines, zones, classes and options of `Totals`.

    Raises:
        StateError: the saved count is of another source, model or options, or damaged.
        UsageError: an unknown class; a schedule without a wall clock; a sink that cannot write.
    """

    def __init__(
        self,
        source_name: str,
        detectors: Sequence[Detects],
        class_names: Sequence[str],
        frame_size: tuple[int, int],
        *,
        model: str = "",
        engine: str = "",
        timing: Callable[[], Timing] = Timing,
        filters: Sequence[FrameFilter] = (),
        sinks: Sequence[Sink] = (),
        saved: SavedCount | None = None,
        schedule: Schedule | None = None,
        epoch_ns: int | None = None,
        starts_at: int | None = None,
        **counting: Unpack[CountingOptions],
    ) -> None:
        self.model, self.engine = model, engine
        self.detectors = detectors
        self.warnings: list[str] = []
        self.totals = Totals(class_names, frame_size, **counting)
        self.history = History(frame_size)
        self.meter = SpeedMeter(timing)
        self._filters = filters
        self._source: Source | RecordedDetections | None = None
        self._stopped = False
        # Other threads ask for the report while frames are counted.
        self._lock = RLock()
        self.counter = FrameCounter(
            source_name,
            self.totals,
            [self.history, *sinks],
            Periods(schedule),
            saved=saved,
            epoch_ns=epoch_ns,
            starts_at=starts_at,
        )

    @property
    def source_name(self) -> str:
        """The source's name."""
        return self.counter.source_name

    @property
    def frames(self) -> int:
        """Frames counted so far, including those of a resumed count."""
        return self.counter.frames

    def run(
        self,
        source: Source | RecordedDetections,
        *,
        on_frame: Callable[[FrameResult], None] | None = None,
    ) -> Report:
        """Count `source` to its end, Ctrl-C or `stop`; then the report says `interrupted`.

        `on_frame` is called after each frame, in order.
        """
        interrupted = False
        try:
            with closing(self.watch(source)) as results:
                for result in results:
                    if on_frame is not None:
                        on_frame(result)
        except KeyboardInterrupt:
            interrupted = True
        return self.report(interrupted=interrupted or self._stopped)

    def stop(self) -> None:
        """End `run` or `watch` after the frames in progress; safe in a signal handler."""
        self._stopped = True
        if self._source is not None:
            self._source.stop()

    def watch(self, source: Source | RecordedDetections) -> Generator[FrameResult]:
        """Count `source` and yield each frame's result, in capture order; closes the source.

        Once a source that is not live has ended, a further result of its last frame follows if
        the end decides something, such as an object just behind a line.
        """
        self._source = source
        if self._stopped:
            source.stop()
        if isinstance(source, RecordedDetections):
            results = self._recorded(source)
        else:
            results = self._detected(source)
        self.meter.start()
        try:
            for result in results:
                yield result
                with self._lock:
                    self.counter.save(when_due=True)
            final = None if source.live or self._stopped else self._conclude()
            if final is not None:
                yield final
        finally:
            results.close()
            try:
                with self._lock:
                    self.counter.save()
            finally:
                self.counter.finish_sinks(self.warnings)

    def _detected(self, source: Source) -> Generator[FrameResult]:
        filters = FrameFilters(self._filters)
        frames = filters.choose(_later_than(self.totals.last_ns, source))
        try:
            for frame, detections in detect_in_order(self.detectors, frames):
                result = self._add(frame, detections)
                wanted = self.totals.only_wanted(detections)
                latency_ms = self.meter.latency_ms(frame)
                filters.learn(FrameFeedback(frame, wanted, result.tracks, latency_ms))
                yield result
        finally:
            # The source says when it is closed what was lost.
            source.close()
            self.counter.dropped += source.dropped
            self.counter.skipped += filters.skipped
            self.warnings.extend(source.warnings)
            self.warnings.extend(filters.summaries())

    def _recorded(self, source: RecordedDetections) -> Generator[FrameResult]:
        """Count detections as they are: there is nothing to detect, to filter or to learn."""
        last_ns = self.totals.last_ns
        with source:
            for frame, detections in source:
                if last_ns is None or frame.timestamp_ns > last_ns:
                    yield self._add(frame, detections)

    def update(self, image: Image, timestamp_s: float) -> Tracks:
        """Count one frame and return its confirmed tracks.

        Args:
            image: (height, width, 3) uint8 BGR, of the session's frame size.
            timestamp_s: capture time in seconds from any origin, later than the frame before.

        Raises:
            TimestampError: not later than the frame before.
            SourceError: not such an image, or of another size.
            UsageError: `timestamp_s` is not a time.
        """
        check_frame(image, timestamp_s, self.frames)
        frame = Frame(image, round(timestamp_s * 1_000_000_000), self.counter.next_index)
        return self._push(frame, lambda: self.detectors[0].detect(image))

    def update_detections(self, detections: Detections, timestamp_s: float) -> Tracks:
        """Count the detections of one frame and return its confirmed tracks.

        Args:
            detections: boxes in pixels of the session's frame size.
            timestamp_s: capture time in seconds from any origin, later than the frame before.

        Raises:
            TimestampError: not later than the frame before.
            UsageError: not such detections, or `timestamp_s` is not a time.
        """
        check_time(timestamp_s)
        check_detections(detections, len(self.totals.model_class_names))
        frame = FrameTime(round(timestamp_s * 1_000_000_000), self.counter.next_index)
        return self._push(frame, lambda: detections)

    def _push(self, frame: Frame | FrameTime, detect: Callable[[], Detections]) -> Tracks:
        self.meter.start()
        result = self._add(frame, detect())
        with self._lock:
            self.counter.save(when_due=True)
        return result.tracks

    def conclude(self) -> FrameResult | None:
        """After the last `update`: count what only the end decides; its result, None without."""
        with self._lock:
            result = self._conclude()
            self.counter.save()
        self.counter.finish_sinks(self.warnings)
        return result

    def _conclude(self) -> FrameResult | None:
        with self._lock:
            return self.counter.conclude()

    def _add(self, frame: Frame | FrameTime, detections: Detections) -> FrameResult:
        with self._lock:
            result = self.counter.add(frame, detections)
            self.meter.count_frame()
        return result

    def stage_totals_ns(self) -> tuple[int, int, int, int]:
        """Nanoseconds so far of letterbox, inference, decode and NMS, tracking and counting."""
        return self.meter.stages_ns(self.totals.counting_ns)

    def report(self, *, interrupted: bool = False) -> Report:
        """The totals so far as a report, also while another thread counts."""
        with self._lock:
            return self._report(interrupted)

    def _report(self, interrupted: bool) -> Report:
        totals, counter = self.totals, self.counter
        return Report(
            source=counter.source_name,
            model=self.model,
            engine=self.engine,
            frames=counter.frames,
            seconds=totals.seconds,
            unique=totals.unique(),
            unique_range=totals.unique_range(),
            **by_kind(totals.regions()),
            occupancy=totals.occupancy(),
            warnings=(*self.warnings, *totals.explanations()),
            speed=self.meter.speed(totals.counting_ns),
            interrupted=interrupted,
            started=wall_clock(totals.first_ns or 0, counter.epoch_ns),
            dropped=counter.dropped,
            skipped=counter.skipped,
            periods=tuple(counter.periods.closed),
            uncounted=totals.uncounted(),
            filters=totals.only.as_dict(),
            outlines=tuple(placed.points for placed in totals.placed),
            history=self.history,
        )

    def close(self) -> None:
        """Close the sinks; the report is still there."""
        self.counter.close()

    def __enter__(self) -> CountSession:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def check_frame(image: Image, timestamp_s: float, index: int) -> None:
    """Raise SourceError or UsageError for what `update` cannot count."""
    if not is_picture(image):
        raise SourceError(
            f"frame {index}",
            "not an image",
            "Use a (height, width, 3) uint8 BGR array, as OpenCV reads it",
        )
    check_time(timestamp_s)


def check_time(timestamp_s: float) -> None:
    """Raise UsageError for what is not a capture time in seconds."""
    if not abs(timestamp_s) <= MAX_SECONDS:
        raise UsageError(f"the timestamp is {timestamp_s}", "Use seconds from any origin")


def check_detections(found: Detections, classes: int) -> None:
    """Raise UsageError for detections that cannot be counted."""
    number = len(found.confidence)
    if np.shape(found.xyxy) != (number, 4) or np.shape(found.class_id) != (number,):
        problem = "the arrays do not have one row per box"
    elif not np.isfinite(found.xyxy).all() or (found.xyxy[:, :2] > found.xyxy[:, 2:]).any():
        problem = "a box is not finite, with left <= right and top <= bottom"
    elif not ((found.confidence >= 0) & (found.confidence <= 1)).all():
        problem = "a confidence is not from 0 to 1"
    elif not ((found.class_id >= 0) & (found.class_id < classes)).all():
        problem = f"a class id is not from 0 to {classes - 1}"
    else:
        return
    raise UsageError(
        f"these detections cannot be counted: {problem}",
        "Use xyxy (n, 4) in pixels, confidence (n,) and class_id (n,)",
    )


def _later_than(last_ns: int | None, frames: Iterable[Frame]) -> Iterator[Frame]:
    """The frames that a resumed count has not seen."""
    return (one for one in frames if last_ns is None or one.timestamp_ns > last_ns)
