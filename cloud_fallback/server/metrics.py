"""What Prometheus reads: queue, batches, stages, drops, sessions, and the accelerator's load."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

log = logging.getLogger("tallylens.server")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The service's own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        make = {"registry": self.registry, "namespace": "tallylens"}
        self._queue_age = Histogram(
            "queue_age_seconds", "Arrival to lane", buckets=_SECONDS, **make
        )
        self._batch = Histogram(
            "batch_size", "Frames in a batch", buckets=(1, 2, 4, 8, 16, 32, 64), **make
        )
        self._stage = Histogram(
            "stage_seconds", "A batch's time by stage", ("stage",), buckets=_SECONDS, **make
        )
        self._frames = Counter("frames", "Frames by outcome", ("outcome",), **make)
        self._faults = Counter("faults", "Faults of ours, by where", ("where",), **make)
        self._refused = Counter("refused", "Connections refused or closed", ("why",), **make)
        self.connections = Gauge("connections", "Open sockets", **make)
        self.sessions = Gauge("sessions", "Sessions, also those waiting for a client", **make)
        self._queued = Gauge("queued_frames", "Frames that wait for a lane", **make)
        self._gpu = Gauge("gpu_utilisation_ratio", "Of the first GPU, where readable", **make)
        self._watch_gpu()

    def watch_queue(self, read: Callable[[], float]) -> None:
        """Read the queue's length when asked for it."""
        self._queued.set_function(read)

    def batch(self, size: int, ages_s: Sequence[float]) -> None:
        """A batch leaves the queue."""
        self._batch.observe(size)
        for age in ages_s:
            self._queue_age.observe(age)

    def stages(self, decode_s: float, detect_s: float) -> None:
        """A batch is done."""
        self._stage.labels("decode").observe(decode_s)
        self._stage.labels("detect").observe(detect_s)

    def frame(self, outcome: str) -> None:
        """A frame was answered, or refused for a reason."""
        self._frames.labels(outcome).inc()

    def refused(self, why: str) -> None:
        """A connection was refused or closed."""
        self._refused.labels(why).inc()

    def fault(self, where: str) -> None:
        """Something of ours failed; called inside the handler of the exception."""
        self._faults.labels(where).inc()
        log.exception("fault while %s", where)

    def text(self) -> bytes:
        """The exposition format."""
        return bytes(generate_latest(self.registry))

    def _watch_gpu(self) -> None:
        with contextlib.suppress(Exception):
            import pynvml

            pynvml.nvmlInit()
            device = pynvml.nvmlDeviceGetHandleByIndex(0)
            self._gpu.set_function(lambda: pynvml.nvmlDeviceGetUtilizationRates(device).gpu / 100)
