"""The face of tallylens: a model, lines and zones, and what they count in a source."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tallylens.edge_runtime.core import CounterOptions, DecoderOptions
from tallylens.edge_runtime.detector import Detector, Timing
from tallylens.edge_runtime.engines import open_engine
from tallylens.edge_runtime.errors import SourceError, UsageError
from tallylens.edge_runtime.pipeline import Detects, detect_in_order, usable_cores
from tallylens.edge_runtime.sources import Source, SourceSpec, open_source
from tallylens.edge_runtime.sources.iterable import is_picture
from tallylens.edge_runtime.types import Detections, Event, Frame, Image, Line, Tracks, Zone
from tallylens.models import ready_model
from tallylens.places import check_line, check_zone
from tallylens.report import Report, Speed
from tallylens.tally import Tally

if TYPE_CHECKING:
    from tallylens.cloud_fallback.offload import Offloader, OffloadOptions

NANOSECONDS = 1_000_000_000
MAX_SECONDS = 9e9  # of 64 bits of nanoseconds


@dataclass(frozen=True)
class Counted:
    """What one frame brought: the confirmed tracks in it, and the events since the frame before."""

    frame: Frame
    detections: Detections
    tracks: Tracks
    events: list[Event]


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
        offload: a server with a bigger model, and when to ask it.

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
        offload: OffloadOptions | None = None,
    ) -> None:
        if any_class and classes is not None:
            raise UsageError("classes and any_class exclude each other", "Give one of them")
        if isinstance(classes, str):
            raise UsageError(f"classes is the text {classes!r}", f"Give a list: [{classes!r}]")
        if workers is not None and workers < 1:
            raise UsageError(f"workers is {workers}", "Give 1 or more")
        for line in lines:
            check_line(line)
        for zone in zones:
            check_zone(zone)
        self._model = model
        self._imgsz = imgsz
        self._workers = workers
        self._decoding = DecoderOptions(cross_class_iou=0.45) if any_class else DecoderOptions()
        self._counting: dict[str, Any] = {
            "lines": lines,
            "zones": zones,
            "classes": None if classes is None else list(classes),
            "any_class": any_class,
            "options": options,
        }
        self._detectors: list[Detector] = []
        self._offload = offload
        self._offloader: Offloader | None = None
        self._tally: Tally | None = None
        self._stack = ExitStack()
        self._source_name = "frames"
        self._warnings: list[str] = []
        self._started_ns = 0
        self._elapsed_ns = 0
        self._frames = 0
        self._closed = False

    def run(
        self,
        source: SourceSpec | Source,
        *,
        on_frame: Callable[[Counted], None] | None = None,
    ) -> Report:
        """Count `source` to its end, or until Ctrl-C: then the report says `interrupted`.

        Args:
            source: a video file, a folder or glob of images, a camera index, an rtsp or http URL,
                or pairs of (timestamp in nanoseconds, (height, width, 3) uint8 BGR).
            on_frame: called after each frame, in order.

        Raises:
            SourceError: nothing can be read.
            ModelError: the model cannot be used.
            UsageError: this counter has counted before.
            KeyboardInterrupt: Ctrl-C before the first frame, when there is nothing to report.
        """
        interrupted = False
        try:
            for counted in self.watch(source):
                if on_frame is not None:
                    on_frame(counted)
        except KeyboardInterrupt:
            if self._tally is None:
                raise
            interrupted = True
        return self.report(interrupted=interrupted)

    def watch(self, source: SourceSpec | Source) -> Iterator[Counted]:
        """The same frame by frame, in capture order."""
        if self._tally is not None:
            raise UsageError(
                f"this counter has counted {self._source_name} already",
                "Make a new Counter for each source",
            )
        with source if isinstance(source, Source) else open_source(source) as frames:
            self._source_name = frames.name
            workers = 1 if frames.live else self._workers or usable_cores()
            self._prepare(frames.size, workers, live=frames.live)
            try:
                for frame, detections in detect_in_order(self._lanes(), frames):
                    yield self._count(frame, detections)
            finally:
                self._warnings.extend(frames.warnings)

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
        self._prepare((width, height), 1)
        frame = Frame(image, round(timestamp * NANOSECONDS), self._frames)
        return self._count(frame, self._lanes()[0].detect(image)).tracks

    def _check_frame(self, image: Image, timestamp: float) -> None:
        if not is_picture(image):
            raise SourceError(
                f"frame {self._frames}",
                "not a picture",
                "Give a (height, width, 3) uint8 BGR array, as OpenCV reads it",
            )
        if not abs(timestamp) <= MAX_SECONDS:
            raise UsageError(f"the timestamp is {timestamp}", "Give seconds from any origin")

    def _prepare(self, frame_size: tuple[int, int], workers: int, *, live: bool = True) -> None:
        if self._closed:
            raise UsageError("the counter is closed", "Make a new Counter")
        if self._tally is not None:
            return
        path = ready_model(self._model, frame_size=frame_size, imgsz=self._imgsz)
        for _ in range(workers):
            engine = self._stack.enter_context(open_engine(path))
            self._detectors.append(Detector(engine, self._decoding))
        names = self._detectors[0].engine.metadata.class_names
        self._tally = Tally(names, frame_size, **self._counting)
        self._begin_offloading(live)
        self._started_ns = time.perf_counter_ns()

    def _begin_offloading(self, live: bool) -> None:
        if self._offload is None:
            return
        from tallylens.cloud_fallback.offload import Offloader

        self._offloader = Offloader(self._detectors, self._offload, live=live)
        self._stack.callback(self._offloader.close)
        if not self._offloader.start():
            self._warnings.append("the cloud cannot be reached; counting on this device alone")

    def _lanes(self) -> Sequence[Detects]:
        """What frames are given to: the detectors, or what may ask the cloud before them."""
        return self._detectors if self._offloader is None else self._offloader.lanes()

    def _count(self, frame: Frame, detections: Detections) -> Counted:
        tally = self.tally
        height, width = frame.image.shape[:2]
        if (width, height) != tally.frame_size:
            raise SourceError(
                self._source_name,
                f"frame {frame.index} is {width}x{height}, the ones before were "
                f"{tally.frame_size[0]}x{tally.frame_size[1]}",
                "Count pictures of different sizes one size at a time",
            )
        tracks, events = tally.add(frame.timestamp_ns, detections)
        self._frames += 1
        self._elapsed_ns = time.perf_counter_ns() - self._started_ns
        return Counted(frame, detections, tracks, events)

    @property
    def frames(self) -> int:
        """Frames counted so far."""
        return self._frames

    @property
    def tally(self) -> Tally:
        """The totals so far.

        Raises:
            UsageError: no frame has been seen.
        """
        if self._tally is None:
            raise UsageError("nothing has been counted yet", "Call run or update first")
        return self._tally

    def stage_totals_ns(self) -> tuple[int, int, int, int]:
        """Nanoseconds so far of letterbox, inference, decode and NMS, tracking and counting.

        With several workers the first three run at the same time, so their sum exceeds the clock.
        """
        timing = sum((detector.timing for detector in self._detectors), Timing())
        return (
            timing.letterbox_ns,
            timing.inference_ns,
            timing.decode_ns,
            self.tally.counting_ns,
        )

    def report(self, *, interrupted: bool = False) -> Report:
        """The totals so far as a report."""
        tally = self.tally
        letterbox_ns, inference_ns, decode_ns, counting_ns = self.stage_totals_ns()
        frames = max(self._frames, 1)
        return Report(
            source=self._source_name,
            model=os.fspath(self._model),
            engine=self._detectors[0].engine.name,
            frames=self._frames,
            seconds=tally.seconds,
            unique=tally.unique(),
            lines=tally.lines(),
            zones=tally.zones(),
            occupancy=tally.occupancy(),
            warnings=(*self._warnings, *tally.explanations()),
            speed=Speed(
                fps=self._frames / max(self._elapsed_ns / NANOSECONDS, 1e-9),
                inference_ms=inference_ns / frames / 1e6,
                host_ms=(letterbox_ns + decode_ns + counting_ns) / frames / 1e6,
            ),
            interrupted=interrupted,
            offload=self._offloader.report() if self._offloader is not None else None,
        )

    def close(self) -> None:
        """Free the engines; what was counted can still be reported."""
        self._closed = True
        self._stack.close()

    def __enter__(self) -> Counter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
