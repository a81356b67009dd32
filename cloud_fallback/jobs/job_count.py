"""The count of one job: a video through the counting session of `tallylens count`, in chunks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from ...edge_runtime.counting.report import Report
from ...edge_runtime.counting.saved_count import SavedCount
from ...edge_runtime.counting.session import CountSession
from ...edge_runtime.counting.sinks import Sink
from ...edge_runtime.detection.detector import Timing
from ...edge_runtime.detection.pipeline import Detects
from ...edge_runtime.errors import InputError, SourceError, TallyLensError
from ...edge_runtime.metadata import ModelMetadata
from ...edge_runtime.sources import Source
from ...edge_runtime.sources.video import open_video
from .checkpoints import CheckpointRow
from .job_options import JobOptions

CHUNK_FRAMES = 240
# The first chunk of a process is short: a file that ends processes is given up at the right frame,
# and a process that somebody ends has most likely made progress.
FIRST_FRAMES = 24
CHUNK_S = 5.0
# A container may announce one frame less than there are.
FRAME_TOLERANCE = 1


class JobDetectors(Protocol):
    """The detectors of a job: engines of this process, or of another one.

    `workers` has one detector for each frame that may be in progress, `engine_name` says in reports
    what runs the model, and `timing` gives the times of all stages so far.
    """

    engine_name: str

    @property
    def workers(self) -> Sequence[Detects]:
        """The detectors; one object may be there several times."""

    @property
    def metadata(self) -> ModelMetadata:
        """Of the model."""

    def timing(self) -> Timing:
        """The times of all detectors together."""

    def close(self) -> None:
        """Free them."""


OpenDetectors = Callable[[tuple[int, int], bool], JobDetectors]
"""Opens the detectors for frames of a (width, height); the flag is `any_class`."""


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class JobModel:
    """The model that jobs are counted with.

    Args:
        name: for reports; no path.
        digest: SHA-256 of its file.
        open: opens its detectors.
        in_batches: whether one worker uses a whole accelerator, or all cores.
        prepare: called once in a worker, before its memory is limited.
    """

    name: str
    digest: str
    open: OpenDetectors
    in_batches: bool = False
    prepare: Callable[[], None] = _nothing


class Detectors:
    """The detectors of the last frame size, kept from job to job."""

    def __init__(self, model: JobModel) -> None:
        self.model = model
        self._key: tuple[tuple[int, int], bool] | None = None
        self._pool: JobDetectors | None = None

    def of(self, frame_size: tuple[int, int], any_class: bool) -> JobDetectors:
        """The detectors for frames of this size."""
        if self._pool is None or self._key != (frame_size, any_class):
            self.close()
            self._pool = self.model.open(frame_size, any_class)
            self._key = frame_size, any_class
        return self._pool

    def close(self) -> None:
        """Free the engines."""
        if self._pool is not None:
            self._pool.close()
        self._pool = self._key = None


class JobCount:
    """Counts one video from a checkpoint on; the file stays open between chunks.

    Args:
        job: its id.
        name: the video's name for its user, which stands in the report.
        path: the file.
        options: what to count.
        detectors: of the model.
        start: index of the first frame to count.
        document: the saved count of the frames before.
        expected_frames: by the probe.
        annotated: an .mp4 that the annotated video is written to.

    Raises:
        TallyLensError: the video cannot be counted with these options.
    """

    def __init__(
        self,
        job: str,
        name: str,
        path: Path,
        options: JobOptions,
        detectors: Detectors,
        *,
        start: int,
        document: dict[str, Any] | None,
        expected_frames: int,
        annotated: Path | None = None,
    ) -> None:
        self.checkpoint = CheckpointRow(job, document)
        self.name, self._path, self._expected = name, path, expected_frames
        self.ended = False
        self._size = FIRST_FRAMES
        with ExitStack() as stack:
            source = open_video(path, start)
            stack.callback(source.close)
            pool = detectors.of(source.size, options.any_class)
            self._video = None if annotated is None else _annotated(annotated, source)
            self._session = CountSession(
                name,
                pool.workers,
                pool.metadata.class_names,
                source.size,
                model=detectors.model.name,
                engine=pool.engine_name,
                timing=pool.timing,
                sinks=[] if self._video is None else [self._video],
                saved=SavedCount(self.checkpoint, float("inf")),
                **options.counting(),
            )
            stack.callback(self._session.close)
            self._results = self._session.watch(source)
            stack.callback(self._results.close)
            self._stack = stack.pop_all()

    @property
    def next_index(self) -> int:
        """Index of the first frame that is not counted."""
        return self._session.counter.next_index

    @property
    def frames(self) -> int:
        """Frames counted so far."""
        return self._session.frames

    def run_chunk(self, wait: Callable[[], None] = lambda: None) -> None:
        """Count CHUNK_FRAMES frames (FIRST_FRAMES at first), or for CHUNK_S seconds, or to the end.

        At the end `ended` is set.

        Args:
            wait: called before each frame; it may sleep while others need the machine.

        Raises:
            SourceError: the video fails, or has more frames than its container says.
        """
        until = time.monotonic() + CHUNK_S
        size, self._size = self._size, CHUNK_FRAMES
        for _ in range(size):
            wait()
            if next(self._results, None) is None:
                self.ended = True
                break
            if self.frames > self._expected + FRAME_TOLERANCE:
                raise SourceError(
                    self.name,
                    f"it has more than the {self._expected} frames of its container",
                    "Write the video again with another program",
                )
            if time.monotonic() >= until:
                break
        self._session.counter.save()

    def finish_video(self) -> None:
        """Complete the annotated video; its file is there afterwards."""
        self._stack.close()

    def report(self) -> Report:
        """The report; complete once `ended` is set."""
        return self._session.report()

    def explain(self, error: TallyLensError) -> str:
        """The error for the user, without the path of the server's file."""
        problem = error.problem
        if isinstance(error, InputError):
            problem = problem.removeprefix(f"{error.path}: ")
        return problem.replace(str(self._path), self.name)

    def close(self) -> None:
        """Close the video; safe after an error."""
        self._stack.close()


def _annotated(path: Path, source: Source) -> Sink:
    from ...edge_runtime.reports.annotate import AnnotatedVideo

    return AnnotatedVideo(path, source)


def report_files(report: Report) -> dict[str, str]:
    """The forms of a report beside its document: {extension: text}."""
    from ...edge_runtime.reports.count_page import to_html

    return {"csv": report.to_csv(), "html": to_html(replace(report, model=report.model))}
