"""Runs the steps of one job at a time in a worker process."""

from __future__ import annotations

import json
import logging
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ...edge_runtime.errors import StateError, TallyLensError
from ...edge_runtime.files import sha256
from ..server.models import DetectorsGoneError
from . import checkpoints, deduplication, job_queue
from .clock import SECOND
from .database import Database
from .job_count import Detectors, JobCount, report_files
from .job_options import JobOptions
from .job_queue import Claim, LostJobError
from .probe import Probed, RefusedVideoError
from .probing import Prober
from .storage import Storage, StorageGoneError

log = logging.getLogger("tallylens.jobs")
PAUSE_S = 10.0
RATE_WINDOW_S = 60.0
GONE = "the file of the video is gone"


class HandedBackError(Exception):
    """The job is in the queue again; its workflow ends here without it."""


class JobRunner:
    """The steps of the job that a worker has.

    Args:
        database, storage: where jobs and files are.
        detectors: of the model.
        scratch: a folder for files that are being made.
        wait: called before each frame; it may sleep while others need the machine.

    Attributes:
        stopping: set to hand the job back at its next chunk.
        begun: set once the workflow of the job that was taken is at work.
        finished: set while there is no workflow at work.
    """

    def __init__(
        self,
        database: Database,
        storage: Storage,
        detectors: Detectors,
        *,
        scratch: Path,
        wait: Callable[[], None] = lambda: None,
    ) -> None:
        self.database, self.storage, self.detectors = database, storage, detectors
        self.prober = Prober()
        self.stopping = threading.Event()
        self.begun = threading.Event()
        self.finished = threading.Event()
        self.finished.set()
        scratch.mkdir(parents=True, exist_ok=True)
        self._scratch, self._wait = scratch, wait
        self._drawn = scratch
        self._claim: Claim | None = None
        self._count: JobCount | None = None
        self._opened = ExitStack()
        self._rates: deque[tuple[float, int, float]] = deque()

    @property
    def fps(self) -> float:
        """Frames per second while counting, of the last minute; 0 before the first chunk."""
        seconds = sum(one[2] for one in self._rates)
        return sum(one[1] for one in self._rates) / seconds if seconds else 0.0

    def begin(self, claim: Claim) -> None:
        """Take a job; its workflow follows."""
        self._claim = claim
        self.begun.clear()
        self.finished.clear()

    def give_up(self) -> None:
        """Put the job back, whose workflow has not begun."""
        claim, self._claim = self._taken, None
        self.finished.set()
        self.database.run_patiently(job_queue.put_back, claim.job, claim.attempt)

    def check(self, job: str) -> None:
        """Raise LostJobError for another job than the one at work."""
        if self._claim is None or self._claim.job != job:
            raise LostJobError(job)

    @contextmanager
    def workflow(self) -> Iterator[None]:
        """The life of a workflow: what goes wrong in it ends here."""
        claim = self._taken
        self.begun.set()
        try:
            yield
        except HandedBackError:
            log.info("handed back", extra={"job": claim.job})
        except LostJobError:
            log.warning("the job has gone to another worker", extra={"job": claim.job})
        except (StorageGoneError, DetectorsGoneError) as error:
            log.warning("put off", extra={"job": claim.job, "problem": str(error)})
            self._hand_back(int(PAUSE_S * SECOND))
        except Exception:
            # Its attempts are counted: after some without progress it fails.
            log.exception("fault in a job", extra={"job": claim.job})
            self.database.run_patiently(job_queue.put_back, claim.job, claim.attempt)
        finally:
            self._end(claim)

    def _end(self, claim: Claim) -> None:
        """Close what the job has open; whatever that raises, the worker is free again."""
        try:
            self._close()
        except Exception:
            log.exception("fault while closing a job", extra={"job": claim.job})
        self._claim = None
        self.finished.set()

    def probe(self) -> bool:
        """Probe the video and look for the same count; False if the job has ended by that."""
        claim = self._taken
        options = JobOptions.parse(claim.options)
        try:
            path = self._opened.enter_context(self.storage.local(claim.video))
            if claim.probe is None:
                found = self.prober.probe(path, claim.plan.video)
                digest = sha256(path)
            else:
                found, digest = Probed.from_json(claim.probe), None
        except RefusedVideoError as error:
            self._fail(str(error), refused=True)
            return False
        except FileNotFoundError:
            self._fail(GONE)
            return False
        outcome = self.database.run_patiently(
            deduplication.admit,
            claim,
            found,
            digest,
            options.digest(),
            self.detectors.model.digest,
        )
        if outcome == "waits":
            raise HandedBackError
        return outcome == "counts"

    def chunk(self, index: int) -> int | None:
        """Count from frame `index` to the next checkpoint; None at the end of the job."""
        claim = self._taken
        if self.stopping.is_set():
            self._hand_back()
            raise HandedBackError
        try:
            if claim.kind == "annotate":
                return self._annotate(claim, index)
            if self._count is None:
                start, document = self.database.run_patiently(
                    checkpoints.read_checkpoint, claim.job
                )
                if start > index:
                    return start
                self._count = self._resumed(claim, start, document)
            while self._count.next_index < index:
                # Only after a checkpoint that could not be used.
                self._count.run_chunk(self._wait)
            return self._next_chunk(claim, self._count)
        except FileNotFoundError:
            self._fail(GONE)
            return None
        except TallyLensError as error:
            self._fail(str(error) if self._count is None else self._count.explain(error))
            return None

    def _resumed(self, claim: Claim, start: int, document: dict[str, object] | None) -> JobCount:
        """The count from its checkpoint, or from the start if that is of another version."""
        try:
            return self._open(claim, start, document)
        except StateError as error:
            log.warning("counting from the start", extra={"job": claim.job, "problem": str(error)})
            return self._open(claim, 0, None)

    def _annotate(self, claim: Claim, index: int) -> int | None:
        """Draw a chunk of the annotated video; after a crash from its start again."""
        if self._count is None:
            folder = self._opened.enter_context(tempfile.TemporaryDirectory(dir=self._scratch))
            self._drawn = Path(folder) / "annotated.mp4"
            self._count = self._open(claim, 0, None, self._drawn)
        count = self._count
        count.run_chunk(self._wait)
        while not count.ended and count.next_index <= index:
            count.run_chunk(self._wait)
        if not count.ended:
            goes_on = self.database.run_patiently(
                checkpoints.write_progress, claim.job, claim.attempt, count.frames
            )
            return count.next_index if goes_on else None
        count.finish_video()
        self.storage.put(claim.job, self._drawn)
        self.database.run_patiently(
            checkpoints.end_annotation, claim.job, claim.attempt, count.frames
        )
        return None

    def _open(
        self,
        claim: Claim,
        start: int,
        document: dict[str, object] | None,
        annotated: Path | None = None,
    ) -> JobCount:
        path = self._opened.enter_context(self.storage.local(claim.video))
        return JobCount(
            claim.job,
            claim.name,
            path,
            JobOptions.parse(claim.options),
            self.detectors,
            start=start,
            document=document,
            expected_frames=self.database.run_patiently(deduplication.frames_of, claim.job),
            annotated=annotated,
        )

    def _next_chunk(self, claim: Claim, count: JobCount) -> int | None:
        log.info("chunk", extra={"job": claim.job, "frame": count.next_index})
        before, began = count.frames, time.monotonic()
        count.run_chunk(self._wait)
        self._measure(count.frames - before, time.monotonic() - began)
        if count.ended:
            report = count.report()
            self.database.run_patiently(
                checkpoints.write_report,
                claim.job,
                claim.attempt,
                report.as_dict(),
                report_files(report),
            )
            return None
        goes_on = self.database.run_patiently(
            checkpoints.write_chunk,
            claim.job,
            claim.attempt,
            count.next_index,
            count.frames,
            json.dumps(count.checkpoint.saved, separators=(",", ":")),
        )
        return count.next_index if goes_on else None

    def _measure(self, frames: int, seconds: float) -> None:
        now = time.monotonic()
        self._rates.append((now, frames, seconds))
        while self._rates[0][0] < now - RATE_WINDOW_S:
            self._rates.popleft()

    def _fail(self, error: str, *, refused: bool = False) -> None:
        claim = self._taken
        self.database.run_patiently(
            job_queue.fail, claim.job, claim.attempt, error, refused=refused
        )

    def _hand_back(self, delay_us: int = 0) -> None:
        claim = self._taken
        self.database.run_patiently(job_queue.hand_back, claim.job, claim.attempt, delay_us)

    @property
    def _taken(self) -> Claim:
        if self._claim is None:
            raise LostJobError("none")
        return self._claim

    def _close(self) -> None:
        count, self._count = self._count, None
        opened, self._opened = self._opened, ExitStack()
        with opened:
            if count is not None:
                count.close()
