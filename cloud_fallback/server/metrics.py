"""Prometheus metrics: queue, batches, stages, outcomes, sessions, and the load of the GPU."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from .quick_metrics import QuickCounter, QuickHistogram

log = logging.getLogger("tallylens.server")
_NAMESPACE = "tallylens"
_SIZES = (1, 2, 4, 8, 16, 32, 64)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """All metrics of one service, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._queue_age = self._quick_histogram("queue_age_seconds", "Arrival to model", _SECONDS)
        self._batch = self._quick_histogram("batch_size", "Frames in a batch", _SIZES)
        stage = self._histogram("stage_seconds", "Time per batch, by stage", "stage")
        self._decode, self._detect = stage.labels("decode"), stage.labels("detect")
        self._frames = QuickCounter(f"{_NAMESPACE}_frames", "Frames by outcome", "outcome")
        self.registry.register(self._frames)
        self._faults = self._counter("faults", "Internal errors, by where", "where")
        self._refused = self._counter("refused", "Connections refused or closed", "why")
        self.connections = self._gauge("connections", "Open websockets")
        self.sessions = self._gauge("sessions", "Sessions, including those waiting for a client")
        self._sockets = Gauge(
            "sockets",
            "Open sockets: `waiting` for a request or its answer, or accepted websockets",
            ["state"],
            namespace=_NAMESPACE,
            registry=self.registry,
        )
        self._dropped = self._counter("sockets_dropped", "Sockets dropped, by why", "why")
        self._queued = self._gauge("queued_frames", "Frames that wait for the model")
        self._stale_keys = self._gauge(
            "keys_stale", "1 while the key file is invalid and older keys are in use"
        )
        self._stale_certificate = self._gauge(
            "certificate_stale", "1 while the files of TLS are invalid and an older pair is in use"
        )
        self._certificate_expiry = self._gauge(
            "certificate_expiry_timestamp_seconds",
            "When the certificate in use expires, unix time; 0 without TLS",
        )
        self._gpu = self._gauge(
            "gpu_utilisation_ratio", "Utilization of the first GPU, if readable"
        )
        self._watch_gpu()

    def _quick_histogram(
        self, name: str, help_text: str, bounds: Sequence[float]
    ) -> QuickHistogram:
        made = QuickHistogram(f"{_NAMESPACE}_{name}", help_text, bounds)
        self.registry.register(made)
        return made

    def _histogram(
        self, name: str, help_text: str, *labels: str, buckets: Sequence[float] = _SECONDS
    ) -> Histogram:
        return Histogram(
            name, help_text, labels, namespace=_NAMESPACE, registry=self.registry, buckets=buckets
        )

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(name, help_text, labels, namespace=_NAMESPACE, registry=self.registry)

    def _gauge(self, name: str, help_text: str) -> Gauge:
        return Gauge(name, help_text, namespace=_NAMESPACE, registry=self.registry)

    def watch_queue(self, read: Callable[[], float]) -> None:
        """Report what `read` returns as the length of the queue."""
        self._queued.set_function(read)

    def watch_keys(self, are_stale: Callable[[], bool]) -> None:
        """Report what this returns as whether the keys are older than their file."""
        self._stale_keys.set_function(are_stale)

    def watch_certificate(self, is_stale: Callable[[], bool], expires: Callable[[], float]) -> None:
        """Report what these return as the state and the expiry of the certificate in use."""
        self._stale_certificate.set_function(is_stale)
        self._certificate_expiry.set_function(expires)

    def watch_sockets(self, waiting: Callable[[], float], admitted: Callable[[], float]) -> None:
        """Report what these return as the numbers of open sockets."""
        self._sockets.labels("waiting").set_function(waiting)
        self._sockets.labels("admitted").set_function(admitted)

    def socket_dropped(self, why: str) -> None:
        """A socket without an accepted websocket was dropped."""
        self._dropped.labels(why).inc()

    def batch(self, size: int, ages_s: Sequence[float]) -> None:
        """A batch leaves the queue."""
        self._batch.observe(size)
        self.waited(ages_s)

    def waited(self, ages_s: Sequence[float]) -> None:
        """Frames have waited so long for the model."""
        for age in ages_s:
            self._queue_age.observe(age)

    def stages(self, decode_s: float, detect_s: float) -> None:
        """A batch was decoded and detected in."""
        self._decode.observe(decode_s)
        self._detect.observe(detect_s)

    def frame(self, outcome: str) -> None:
        """A frame was answered, or refused for a reason."""
        self._frames.counts[outcome] += 1

    def refused(self, why: str) -> None:
        """A connection was refused or closed."""
        self._refused.labels(why).inc()

    def fault(self, where: str, error: BaseException | None = None) -> None:
        """An unexpected `error` of the service; by default the exception being handled."""
        self._faults.labels(where).inc()
        log.error("fault while %s", where, exc_info=error or True)

    def text(self) -> bytes:
        """All metrics in the text exposition format."""
        return bytes(generate_latest(self.registry))

    def _watch_gpu(self) -> None:
        with contextlib.suppress(Exception):
            import pynvml

            pynvml.nvmlInit()
            device = pynvml.nvmlDeviceGetHandleByIndex(0)
            self._gpu.set_function(lambda: pynvml.nvmlDeviceGetUtilizationRates(device).gpu / 100)
