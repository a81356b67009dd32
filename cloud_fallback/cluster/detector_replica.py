"""A process of a cluster with one instance of the model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ray import serve

from ...edge_runtime.core import DecoderOptions
from ...edge_runtime.types import Detections
from ..server.batch_detection import decode_safely, detect_each
from ..server.batcher import MAX_WAIT_S
from ..server.metrics import Metrics
from ..server.models import ModelInstances
from ..wire.messages import Reason
from .autoscaling import Load
from .frames import Asked
from .local_cluster import keep_to_loopback
from .remote import RemoteBoard, cluster_state
from .replica_board import Report

REPORT_S = 1.0
ANY_CLASS = DecoderOptions(cross_class_iou=DecoderOptions().iou)


class DetectorReplica:
    """One instance of the model; Ray gives it batches."""

    async def __init__(self, model: Path) -> None:  # type: ignore[misc]
        keep_to_loopback()
        self._instances = ModelInstances(model, 1)
        detector = self._instances.detectors[0]
        # By whether one object may have one class only.
        self._detectors = {False: detector, True: self._instances.with_options(ANY_CLASS)}
        self._load = Load(time.monotonic())
        self._metrics = Metrics()
        self._reporting = asyncio.create_task(self._report())
        self.detect.set_max_batch_size(detector.max_batch)

    @serve.batch(  # type: ignore[untyped-decorator]
        max_batch_size=1, batch_wait_timeout_s=MAX_WAIT_S
    )
    async def detect(self, frames: list[Asked]) -> list[tuple[Any, float]]:
        """Outcome and seconds of work for each frame."""
        begun = time.monotonic()
        waited = [time.time() - one.arrived for one in frames]
        self._load.waited(max(waited))
        self._metrics.batch(len(frames), waited)
        outcomes = await asyncio.to_thread(self._work, frames)
        spent = time.monotonic() - begun
        self._load.worked(spent)
        return [(outcome, spent) for outcome in outcomes]

    def _work(self, frames: Sequence[Asked]) -> list[Detections | Reason]:
        begun = time.perf_counter()
        images = [decode_safely(one.decode, self._metrics.fault) for one in frames]
        decoded = time.perf_counter()
        outcomes: dict[int, Detections | Reason] = {}
        for any_class, detector in self._detectors.items():
            places = [at for at, one in enumerate(frames) if one.any_class == any_class]
            asked = [images[at] for at in places]
            found = detect_each(detector, asked, self._metrics.fault)
            outcomes.update(zip(places, found, strict=True))
        self._metrics.stages(decoded - begun, time.perf_counter() - decoded)
        return [outcomes[at] for at in range(len(frames))]

    async def _report(self) -> None:
        """Show the metrics of this process on the page of all."""
        board = RemoteBoard(cluster_state())
        name = serve.get_replica_context().replica_tag
        while True:
            families = list(self._metrics.registry.collect())
            await board.exchange(name, Report(metrics=families, drained=True))
            await asyncio.sleep(REPORT_S)

    def record_autoscaling_stats(self) -> dict[str, float]:
        """The load since the last call, for `wanted_replicas`; Ray calls it."""
        return self._load.stats(time.monotonic())
