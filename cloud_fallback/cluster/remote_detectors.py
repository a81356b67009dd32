"""Detectors of a worker of uploaded videos: the model's replicas of a cluster do the inference."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

import ray
from ray import serve

from ...edge_runtime.detection.detector import Timing
from ...edge_runtime.metadata import ModelMetadata
from ...edge_runtime.types import Detections, Image
from ..server.models import DetectorsGoneError
from .frames import Asked, Decoded
from .local_cluster import connect_to
from .remote import APPLICATION, DETECTOR, RETRY_S

IN_PROGRESS = 16
# Of all frames in progress: they lie in the object store of the machine.
MOST_BYTES = 96 << 20
CALL_S = 60.0
# Replicas that died are started again in this time, with their model.
PATIENCE_S = 120.0


class RemoteDetectors:
    """Detectors that ask the replicas, which form batches of all frames that wait for them.

    Args:
        handle: of the deployment of the model.
        metadata: of the model.
        frame_size: (width, height) of the frames.
        any_class: boxes of two classes suppress each other as those of one do.
    """

    engine_name = "ray"

    def __init__(
        self, handle: Any, metadata: ModelMetadata, frame_size: tuple[int, int], any_class: bool
    ) -> None:
        self.metadata, self._handle, self._any_class = metadata, handle, any_class
        number = MOST_BYTES // (3 * frame_size[0] * frame_size[1])
        self.workers: Sequence[RemoteDetectors] = [self] * min(IN_PROGRESS, max(2, number))
        self._lock, self._timing = threading.Lock(), Timing()

    def detect(self, image: Image) -> Detections:
        """Objects in `image`, (height, width, 3) uint8 BGR, in its pixels.

        Raises:
            DetectorsGoneError: no replica answers for PATIENCE_S.
        """
        until = time.monotonic() + PATIENCE_S
        while True:
            begun = time.perf_counter_ns()
            try:
                outcome = self._ask(image)
            except (ray.exceptions.RayError, TimeoutError) as error:
                if time.monotonic() > until:
                    raise DetectorsGoneError("no replica of the model answers") from error
                time.sleep(RETRY_S)
                continue
            if not isinstance(outcome, Detections):
                raise RuntimeError(f"the model's replica answers {outcome!r}")
            with self._lock:
                self._timing += Timing(1, 0, time.perf_counter_ns() - begun, 0)
            return outcome

    def _ask(self, image: Image) -> Any:
        asked = Asked(Decoded(image), time.time(), self._any_class)
        return self._handle.detect.remote(asked).result(timeout_s=CALL_S)[0]

    def timing(self) -> Timing:
        """Frames, and the time that each waited for its answer."""
        with self._lock:
            return self._timing

    def close(self) -> None:
        """Nothing is to be freed: the replicas stay."""


class RemoteCluster:
    """The connection of one worker process to the cluster of RAY_ADDRESS."""

    def __init__(self) -> None:
        self._handle: Any = None

    def connect(self) -> None:
        """Connect once."""
        if self._handle is None:
            connect_to()
            # It warns for each frame of a replica that is busy.
            logging.getLogger("ray.serve").setLevel(logging.ERROR)
            self._handle = serve.get_deployment_handle(DETECTOR, APPLICATION)

    def open(
        self, metadata: ModelMetadata, frame_size: tuple[int, int], any_class: bool
    ) -> RemoteDetectors:
        """The detectors for frames of this size."""
        self.connect()
        return RemoteDetectors(self._handle, metadata, frame_size, any_class)
