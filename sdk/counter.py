"""The face of tallylens: a model, lines and zones, and what they count in a source."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tallylens.detector_pool import DetectorPool, RateLimits
from tallylens.edge_runtime.core import CounterOptions, DecoderOptions
from tallylens.edge_runtime.counting.regions import check_line, check_zone
from tallylens.edge_runtime.counting.report import RegionOutlines, Report, Speed
from tallylens.edge_runtime.counting.reset_schedule import parse_schedule
from tallylens.edge_runtime.counting.resume import Resume
from tallylens.edge_runtime.counting.session import CountSession, FrameResult, Persistence
from tallylens.edge_runtime.counting.state_file import EVERY_S
from tallylens.edge_runtime.counting.totals import Totals
from tallylens.edge_runtime.detection.detector import Timing
from tallylens.edge_runtime.detection.pipeline import Detects, detect_in_order, usable_cores
from tallylens.edge_runtime.errors import SourceError, UsageError
from tallylens.edge_runtime.rate_control.adaptive_sampling import AdaptiveSampler
from tallylens.edge_runtime.rate_control.frame_filter import FrameFeedback, FrameFilters
from tallylens.edge_runtime.rate_control.governor import Remote, check_limits
from tallylens.edge_runtime.sources import LiveOptions, Source, SourceSpec, open_source
from tallylens.edge_runtime.sources.iterable import is_picture
from tallylens.edge_runtime.sources.live import PATIENCE_S, quiet
from tallylens.edge_runtime.types import Detections, Frame, Image, Line, Tracks, Zone

__all__ = ["Counter", "FrameResult"]

if TYPE_CHECKING:
    from tallylens.cloud_fallback.client.offloader import Offloader, OffloadOptions

NANOSECONDS = 1_000_000_000
MAX_SECONDS = 9e9  # of 64 bits of nanoseconds


class Counter:
    """Counts objects of one source.

    Args:
        model: a .tflite, .onnx or .pt file, or a name in the model store. What is not yet in the
            form that runs is converted once and cached.
        lines: where crossings are counted.
        zones: where presence and stays are counted.
        classes: class names to count; None counts all.
        any_class: count every detection as one class, `object`.
        imgsz: (height, width) of the model's input, where it still has to be converted; None takes
            the rectangle of 640 pixels' length that fits the source.
        workers: frames inferred at once; None takes one a core for files and one for live sources.
        options: thresholds of tracking and counting.
        iou: boxes of one class that overlap by more are one object (NMS); None takes 0.45.
        sample: `all` frames, or `auto`: those that the speed of the objects needs.
        max_fps: look at no more frames than so many in a second of capture time.
        budget_ms: keep a frame's latency below this for hours: by a lower rate, then by smaller
            inputs where the model is converted here, then by asking `remote` first.
        remote: detects elsewhere; see `edge_runtime.governor.Remote`.
        reset: when totals begin anew, `daily@HH:MM` or `hourly@MM`.
        starts_at: wall clock of the first frame in nanoseconds since 1970, where the source has
            none of its own.
        state: a file that keeps the count; where it holds one, that count goes on.
        state_every_s: least seconds between two saves.
        events: a file for the stream of events, `-` for standard output.
        crops: a folder for a picture of each event's object.
        patience_s: seconds without a picture after which a live source counts as gone.
        offload: a server with a bigger model, and when to ask it.
        on_notice: told in a sentence what live sources and the governor do.

    A counter is bound to the first source or frame it sees. Use it as a context manager, or call
    `close`, where memory matters.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = "yolov5n",
        *,
        lines: Sequence[Line] = (),
        zones: Sequence[Zone] = (),
        classes: Iterable[str] | None = None,
        any_class: bool = False,
        imgsz: tuple[int, int] | None = None,
        workers: int | None = None,
        options: CounterOptions | None = None,
        iou: float | None = None,
        sample: Literal["all", "auto"] = "all",
        max_fps: float | None = None,
        budget_ms: float | None = None,
        remote: Remote | None = None,
        reset: str | None = None,
        starts_at: int | None = None,
        state: str | os.PathLike[str] | None = None,
        state_every_s: float = EVERY_S,
        events: str | os.PathLike[str] | None = None,
        crops: str | os.PathLike[str] | None = None,
        patience_s: float = PATIENCE_S,
        on_notice: Callable[[str], None] = quiet,
        offload: OffloadOptions | None = None,
    ) -> None:
        if any_class and classes is not None:
            raise UsageError("classes and any_class exclude each other", "Give one of them")
        if isinstance(classes, str):
            raise UsageError(f"classes is the text {classes!r}", f"Give a list: [{classes!r}]")
        if workers is not None and workers < 1:
            raise UsageError(f"workers is {workers}", "Give 1 or more")
        if sample not in ("all", "auto"):
            raise UsageError(f"sample is {sample!r}", "Give 'all' or 'auto'")
        for line in lines:
            check_line(line)
        for zone in zones:
            check_zone(zone)
        self._model = model
        self._imgsz = imgsz
        self._workers = workers
        self._decoding = _decoding(options or CounterOptions(), iou, any_class)
        self._counting: dict[str, Any] = {
            "lines": lines,
            "zones": zones,
            "classes": None if classes is None else list(classes),
            "any_class": any_class,
            "options": options,
        }
        self._offload = offload
        self._offloader: Offloader | None = None
        check_limits(max_fps, budget_ms)
        self._limits = RateLimits(max_fps, budget_ms, remote, on_notice)
        self._sampler = AdaptiveSampler() if sample == "auto" else None
        self._keeping = Persistence(
            schedule=None if reset is None else parse_schedule(reset),
            starts_at=starts_at,
            resume=None if state is None else Resume(Path(state), state_every_s),
            events=None if events is None else Path(events),
            crops=None if crops is None else Path(crops),
        )
        self._live = LiveOptions(patience_s, on_notice)
        self._team: DetectorPool | None = None
        self._ledger: CountSession | None = None
        self._timing = Timing()
        self._worked_ms = 0.0
        self._started_ns = 0
        self._elapsed_ns = 0
        self._frames_here = 0
        self._closed = False

    def run(
        self,
        source: SourceSpec | Source,
        *,
        on_frame: Callable[[FrameResult], None] | None = None,
    ) -> Report:
        """Count `source` to its end, or until Ctrl-C: then the report says `interrupted`.

        Args:
            source: a video file, a folder or glob of images, a camera index, an rtsp or http URL,
                or pairs of (timestamp in nanoseconds, (height, width, 3) uint8 BGR).
            on_frame: called after each frame, in order.

        Raises:
            SourceError: nothing can be read.
            ModelError: the model cannot be used.
            StateError: the state file is damaged, or of another count.
            UsageError: this counter has counted before.
            KeyboardInterrupt: Ctrl-C before the first frame, when there is nothing to report.
        """
        interrupted = False
        try:
            with closing(self.watch(source)) as frames:
                for counted in frames:
                    if on_frame is not None:
                        on_frame(counted)
        except KeyboardInterrupt:
            if self._ledger is None:
                raise
            interrupted = True
        return self.report(interrupted=interrupted)

    def open(self, source: SourceSpec) -> Source:
        """`source` from where the count goes on; give it to `run` or `watch`, or close it."""
        resume = self._keeping.resume
        if resume is None:
            return open_source(source, live=self._live)
        live = replace(self._live, epoch_ns=resume.epoch_ns, after_ns=resume.last_ns)
        return open_source(source, start=resume.next_index, live=live)

    def watch(self, source: SourceSpec | Source) -> Generator[FrameResult]:
        """The same frame by frame, in capture order."""
        if self._ledger is not None:
            raise UsageError(
                f"this counter has counted {self._ledger.source} already",
                "Make a new Counter for each source",
            )
        with source if isinstance(source, Source) else self.open(source) as frames:
            workers = 1 if frames.live else self._workers or usable_cores()
            team, ledger = self._prepare(
                frames.name, frames.size, workers, frames.epoch_ns, frames.live
            )
            paces = FrameFilters([team.governor, *filter(None, [self._sampler])])
            chosen = paces.choose(_later_than(ledger.totals.last_ns, frames))
            try:
                for frame, detections in detect_in_order(self._lanes(team), chosen):
                    counted = self._count(ledger, frame, detections)
                    wanted = ledger.totals.only_wanted(detections)
                    latency_ms = self._latency_ms(team, frame)
                    paces.learn(FrameFeedback(frame, wanted, counted.tracks, latency_ms))
                    yield counted
                    ledger.save(when_due=True)
            finally:
                # Closing tells what was lost.
                frames.close()
                ledger.dropped += frames.dropped
                ledger.skipped += paces.skipped
                ledger.warnings.extend(frames.warnings)
                ledger.warnings.extend(self._said())
                ledger.save()

    def update(self, image: Image, timestamp: float) -> Tracks:
        """Count one frame and return the objects in it.

        Args:
            image: (height, width, 3) uint8 BGR, of the same size each time.
            timestamp: capture time in seconds from any origin, rising.

        Raises:
            TimestampError: not later than the frame before.
            SourceError: not such an image, or one of another size than before.
            UsageError: `timestamp` is no time, or the counter is closed.
        """
        self._check_frame(image, timestamp)
        height, width = image.shape[:2]
        team, ledger = self._prepare("frames", (width, height), 1, None, True)
        frame = Frame(image, round(timestamp * NANOSECONDS), ledger.next_index)
        tracks = self._count(ledger, frame, self._lanes(team)[0].detect(image)).tracks
        ledger.save(when_due=True)
        return tracks

    def _check_frame(self, image: Image, timestamp: float) -> None:
        if not is_picture(image):
            raise SourceError(
                f"frame {self.frames}",
                "not a picture",
                "Give a (height, width, 3) uint8 BGR array, as OpenCV reads it",
            )
        if not abs(timestamp) <= MAX_SECONDS:
            raise UsageError(f"the timestamp is {timestamp}", "Give seconds from any origin")

    def _prepare(
        self,
        source: str,
        frame_size: tuple[int, int],
        workers: int,
        epoch_ns: int | None,
        live: bool,
    ) -> tuple[DetectorPool, CountSession]:
        if self._closed:
            raise UsageError("the counter is closed", "Make a new Counter")
        if self._team is None:
            self._team = DetectorPool(
                self._model,
                frame_size,
                imgsz=self._imgsz,
                workers=workers,
                decoding=self._decoding,
                limits=self._limits,
            )
        if self._ledger is None:
            self._keeping.check_apart({"source": source, "model": self._model})
            names = self._team.metadata.class_names
            self._ledger = CountSession(
                source, names, frame_size, self._keeping, epoch_ns=epoch_ns, **self._counting
            )
            self._begin_offloading(self._team, self._ledger, live)
            self._started_ns = time.perf_counter_ns()
        return self._team, self._ledger

    def _begin_offloading(self, team: DetectorPool, ledger: CountSession, live: bool) -> None:
        if self._offload is None:
            return
        from tallylens.cloud_fallback.client.offloader import Offloader
        from tallylens.edge_runtime.files import sha256

        names = team.metadata.class_names
        self._offloader = Offloader(
            team.workers,
            names,
            self._offload,
            live=live,
            model_bytes=team.model.stat().st_size,
            model_digest=sha256(team.model),
        )
        if not self._offloader.start():
            ledger.warnings.append("the cloud cannot be reached; counting on this device alone")

    def _lanes(self, team: DetectorPool) -> Sequence[Detects]:
        """What frames are given to: the detectors, or what may ask the cloud before them."""
        return team.workers if self._offloader is None else self._offloader.workers()

    def _count(self, ledger: CountSession, frame: Frame, detections: Detections) -> FrameResult:
        counted = ledger.add(frame, detections)
        self._frames_here += 1
        self._elapsed_ns = time.perf_counter_ns() - self._started_ns
        return counted

    def _latency_ms(self, team: DetectorPool, frame: Frame) -> float:
        """From the camera where it is live, else the work on a frame."""
        if frame.arrived_ns:
            return (time.monotonic_ns() - frame.arrived_ns) / 1e6
        before, self._timing = self._timing, team.timing
        frames = self._timing.frames - before.frames
        # Workers may have been done with this frame when the one before was counted.
        if frames:
            self._worked_ms = (self._timing.work_ns - before.work_ns) / frames / 1e6
        return self._worked_ms

    def _said(self) -> list[str]:
        """What the governor and the sampler did."""
        parts = [self._team.governor.summary() if self._team is not None else None]
        parts.append(self._sampler.summary() if self._sampler is not None else None)
        return [part for part in parts if part]

    @property
    def frames(self) -> int:
        """Frames counted so far, those of a resumed count included."""
        return 0 if self._ledger is None else self._ledger.frames

    @property
    def frames_before(self) -> int:
        """Frames that the state file has counted already."""
        resume = self._keeping.resume
        return 0 if resume is None else resume.number("frames")

    @property
    def totals(self) -> Totals:
        """The totals so far.

        Raises:
            UsageError: no frame has been seen.
        """
        if self._ledger is None:
            raise UsageError("nothing has been counted yet", "Call run or update first")
        return self._ledger.totals

    def stage_totals_ns(self) -> tuple[int, int, int, int]:
        """Nanoseconds so far of letterbox, inference, decode and NMS, tracking and counting.

        With several workers the first three run at the same time, so their sum exceeds the clock.
        """
        timing = Timing() if self._team is None else self._team.timing
        return (
            timing.letterbox_ns,
            timing.inference_ns,
            timing.decode_ns,
            self.totals.counting_ns,
        )

    def report(self, *, interrupted: bool = False) -> Report:
        """The totals so far as a report."""
        totals = self.totals
        assert self._ledger is not None
        assert self._team is not None
        letterbox_ns, inference_ns, decode_ns, counting_ns = self.stage_totals_ns()
        frames = max(self._frames_here, 1)
        return Report(
            source=self._ledger.source,
            model=os.fspath(self._model),
            engine=self._team.engine_name,
            frames=self._ledger.frames,
            seconds=totals.seconds,
            unique=totals.unique(),
            lines=totals.lines(),
            zones=totals.zones(),
            occupancy=totals.occupancy(),
            warnings=(*self._ledger.warnings, *totals.explanations()),
            speed=Speed(
                fps=self._frames_here / max(self._elapsed_ns / NANOSECONDS, 1e-9),
                inference_ms=inference_ns / frames / 1e6,
                host_ms=(letterbox_ns + decode_ns + counting_ns) / frames / 1e6,
            ),
            interrupted=interrupted,
            started=self._ledger.started,
            dropped=self._ledger.dropped,
            skipped=self._ledger.skipped,
            periods=tuple(self._ledger.periods),
            uncounted=totals.uncounted(),
            scene=RegionOutlines.of(totals.line_ends, totals.zone_corners),
            history=self._ledger.history,
            offload=None if self._offloader is None else self._offloader.report(),
        )

    def close(self) -> None:
        """Free the engines; what was counted can still be reported."""
        self._closed = True
        if self._offloader is not None:
            self._offloader.close()
        if self._team is not None:
            self._team.close()
        if self._ledger is not None:
            self._ledger.close()

    def __enter__(self) -> Counter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _decoding(counting: CounterOptions, iou: float | None, any_class: bool) -> DecoderOptions:
    options = DecoderOptions(confidence=counting.low_confidence)
    options = options if iou is None else replace(options, iou=iou)
    return replace(options, cross_class_iou=options.iou) if any_class else options


def _later_than(last_ns: int | None, frames: Iterable[Frame]) -> Iterator[Frame]:
    """The frames that a resumed count has not seen."""
    return (one for one in frames if last_ns is None or one.timestamp_ns > last_ns)
