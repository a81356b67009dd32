"""Threads that decode and detect: one per detector, and some that decode beside it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

from ...edge_runtime.detection.pipeline import usable_cores
from ...edge_runtime.types import Detections, Image
from ..wire.messages import Reason
from .batch_detection import Fault, decode_safely, detect_each
from .job import Job
from .models import BatchDetector

# For fewer pixels than this another thread costs more than it saves.
PIXELS_OF_THREAD = 1 << 18
_THREADS = 4


@dataclass(frozen=True)
class Done:
    """A batch that was worked on.

    Args:
        outcomes: of each job.
        decode_s: processor time of decoding each.
        started, decoded, ended: monotonic seconds.
    """

    outcomes: Sequence[Detections | Reason]
    decode_s: Sequence[float]
    started: float
    decoded: float
    ended: float


class Decoders:
    """Decodes the images of one batch side by side, while its detector waits."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._threads = min(_THREADS, usable_cores())
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="decode")

    def run(self, batch: Sequence[Job]) -> list[tuple[Image | None, float]]:
        """The image of each job, None for an invalid one, and the processor time it took."""
        pixels = sum(job.pixels for job in batch)
        parts = min(len(batch), self._threads, 1 + pixels // PIXELS_OF_THREAD)
        others = [self._pool.submit(self._decode, batch[at::parts]) for at in range(1, parts)]
        decoded = [self._decode(batch[::parts]), *(one.result() for one in others)]
        return [decoded[at % parts][at // parts] for at in range(len(batch))]

    def _decode(self, batch: Sequence[Job]) -> list[tuple[Image | None, float]]:
        done = []
        for job in batch:
            begun = time.thread_time()
            image = decode_safely(job.decode, self._fault)
            done.append((image, time.thread_time() - begun))
        return done

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown()


class Worker:
    """One detector in a thread of its own.

    Args:
        detector: used by this thread only.
        decoders: of all workers.
        fault: notes the exception that is being handled, by where.
        done: called in the event loop with each batch.
    """

    def __init__(
        self,
        detector: BatchDetector,
        decoders: Decoders,
        fault: Fault,
        done: Callable[[Worker, Sequence[Job], Done], None],
    ) -> None:
        self.max_batch = detector.max_batch
        self._detector, self._decoders, self._fault, self._done = detector, decoders, fault, done
        self._batches: SimpleQueue[Sequence[Job] | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="detector", daemon=True)
        self._thread.start()

    def put(self, batch: Sequence[Job]) -> None:
        """Work on a batch; only when the one before is done."""
        self._batches.put(batch)

    def close(self) -> None:
        """Stop after the batch that is being worked on."""
        self._batches.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (batch := self._batches.get()) is not None:
            done = self._work(batch)
            # A loop that has ended needs no answer.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._done, self, batch, done)

    def _work(self, batch: Sequence[Job]) -> Done:
        """Decode and detect: the outcome of each job, with a fault only for its own."""
        started = time.monotonic()
        try:
            images = self._decoders.run(batch)
            decoded = time.monotonic()
            outcomes = self._detect([image for image, _ in images])
        except Exception:
            # Whatever went wrong: no worker stops for it.
            self._fault("detecting")
            now = time.monotonic()
            return Done(["failed"] * len(batch), [0.0] * len(batch), started, now, now)
        return Done(outcomes, [spent for _, spent in images], started, decoded, time.monotonic())

    def _detect(self, images: Sequence[Image | None]) -> list[Detections | Reason]:
        """The outcome of each image, in batches that the detector takes."""
        return [
            outcome
            for at in range(0, len(images), self.max_batch)
            for outcome in detect_each(
                self._detector, images[at : at + self.max_batch], self._fault
            )
        ]
