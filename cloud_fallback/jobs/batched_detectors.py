"""A model that takes batches, for one worker: the frames of its video share them.

The video is decoded by the threads of its decoder, and counted in order by the worker; between the
two, as many frames as fill the batches of all instances wait for the accelerator.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from ...edge_runtime.core import DecoderOptions
from ...edge_runtime.detection.detector import Timing
from ...edge_runtime.metadata import ModelMetadata
from ...edge_runtime.types import Detections, Image, YuvPlanes
from ..server.batcher import MAX_WAIT_S
from ..server.models import BatchedDetector, engine_of, open_session

log = logging.getLogger("tallylens.jobs")
# One fills its batch while the other's runs.
INSTANCES = 2
GRAY = 114


class BatchedModel:
    """A server model of one worker process; its session is opened once.

    Args:
        path: a file of `convert --to onnx --server`.
        metadata: of it.
    """

    def __init__(self, path: Path, metadata: ModelMetadata) -> None:
        self._path, self._metadata = path, metadata
        self._session: Any = None

    def prepare(self) -> None:
        """Open the session and run a whole batch: drivers reserve memory for the first one."""
        if self._session is None:
            self._session = open_session(self._path)
            engine, size = engine_of(self._session)
            log.info("model", extra={"engine": engine})
            with closing(BatchedDetector(self._session, self._metadata, size)) as instance:
                height, width = self._metadata.input_size
                instance.detect([np.full((height, width, 3), GRAY, np.uint8)] * size)

    def open(self, decoding: DecoderOptions) -> BatchedDetectors:
        """The detectors with these thresholds."""
        self.prepare()
        return BatchedDetectors(self._session, self._metadata, decoding)


class BatchedDetectors:
    """Detectors of one session; see `JobDetectors`."""

    def __init__(self, session: Any, metadata: ModelMetadata, decoding: DecoderOptions) -> None:
        self.metadata = metadata
        self.engine_name, size = engine_of(session)
        self._instances = [
            BatchedDetector(session, metadata, size, decoding) for _ in range(INSTANCES)
        ]
        self._batches = Batches(self._instances)
        # A thread of the pipeline for each frame of the batches.
        self.workers: Sequence[Batches] = [self._batches] * (INSTANCES * size)

    def timing(self) -> Timing:
        """The times of all instances together."""
        return sum((instance.timing for instance in self._instances), Timing())

    def close(self) -> None:
        """Stop the threads; the session stays."""
        self._batches.close()
        for instance in self._instances:
            instance.close()


class Batches:
    """Takes single frames of many threads to few instances, in batches.

    A batch leaves when it is full, or MAX_WAIT_S after a instance saw its first frame.
    """

    def __init__(self, instances: Sequence[BatchedDetector]) -> None:
        self._waiting: deque[tuple[Image | YuvPlanes, Future[Detections]]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, args=(instance,), name="batches", daemon=True)
            for instance in instances
        ]
        for thread in self._threads:
            thread.start()

    def detect(self, image: Image) -> Detections:
        """Objects in `image`, (height, width, 3) uint8 BGR, in its pixels."""
        return self._detect(image)

    def detect_planes(self, planes: YuvPlanes) -> Detections:
        """Objects in an image of a video decoder, in its upright pixels."""
        return self._detect(planes)

    def _detect(self, image: Image | YuvPlanes) -> Detections:
        found: Future[Detections] = Future()
        with self._changed:
            if self._closed:
                raise RuntimeError("the detectors are closed")
            self._waiting.append((image, found))
            self._changed.notify_all()
        return found.result()

    def _work(self, instance: BatchedDetector) -> None:
        while batch := self._take(instance.max_batch):
            try:
                found = instance.detect([image for image, _ in batch])
            # Whatever it is, it belongs to the threads that wait for these frames.
            except Exception as error:
                for _, answer in batch:
                    answer.set_exception(error)
            else:
                for (_, answer), detections in zip(batch, found, strict=True):
                    answer.set_result(detections)

    def _take(self, most: int) -> list[tuple[Image | YuvPlanes, Future[Detections]]]:
        """Up to `most` frames; none once it is closed and all are taken."""
        with self._changed:
            while not self._waiting:
                if self._closed:
                    return []
                self._changed.wait()
                self._fill_up(most)
            return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def _fill_up(self, most: int) -> None:
        """Wait until `most` frames wait, or for MAX_WAIT_S; another instance may take them."""
        until = time.monotonic() + MAX_WAIT_S
        while len(self._waiting) < most and not self._closed:
            if not self._changed.wait(until - time.monotonic()):
                return

    def close(self) -> None:
        """Detect what waits, and stop."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
