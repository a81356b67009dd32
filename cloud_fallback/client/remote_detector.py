"""The server's model as a detector: a frame out, detections in the device's own terms back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass

import numpy as np

from ...edge_runtime.types import Detections, Image, IntArray
from ..wire.client_session import PendingFrame
from ..wire.constants import MAX_CREDITS
from ..wire.messages import Limits, Result, Welcome
from .connection import CloudClient
from .encoder import BEST_JPEG, EXACT, SPARING, FrameEncoder
from .late_results import LateResults
from .pending_replies import PendingReply

# Share of the time until the deadline, less round trip and server, that sending may take.
TRANSFER_SHARE = 0.5
# How long the frame that measures the link is waited for: an answer after it measures too.
PROBE_S = 2.0


@dataclass(frozen=True)
class _RemoteModel:
    """The server's model as its welcome describes it; another one needs another encoder."""

    digest: str
    classes: tuple[str, ...]
    input_size: tuple[int, int]
    limits: Limits

    @classmethod
    def of(cls, welcome: Welcome) -> _RemoteModel:
        return cls(welcome.digest, welcome.classes, welcome.input_size, welcome.limits)


class RemoteDetector:
    """Encodes images for the server's model, waits for results, and notes those that come late.

    Args:
        connect: makes the client, given what to call with late results.
        class_names: of the device's model.
        digest: of the device's model.
        sparing: few bytes matter more than that the server sees exactly what the device sees.
        live: the first frames cannot wait until the link is measured.
    """

    def __init__(
        self,
        connect: Callable[[Callable[[PendingFrame, Result], None]], CloudClient],
        class_names: Sequence[str],
        *,
        digest: str,
        sparing: bool,
        live: bool,
    ) -> None:
        self.client = connect(self.late_result)
        self.late_results = LateResults()
        self._class_names = class_names
        self._digest, self._sparing, self._live = digest, sparing, live
        self._lock = threading.Lock()
        self._encoding, self._measuring = threading.Lock(), threading.Lock()
        self._scales: dict[int, tuple[float, float]] = {}
        self._model: _RemoteModel | None = None
        self._encoder: FrameEncoder | None = None
        self._class_ids = np.empty(0, np.int32)

    def encoder(self) -> FrameEncoder | None:
        """The encoder for the server's model; None before the first welcome, and where that model
        knows none of the device's classes: its answers would all be empty.

        A server that comes back may run another model.
        """
        welcome = self.client.welcome
        if welcome is None:
            return None
        model = _RemoteModel.of(welcome)
        with self._lock:
            if self._encoder is None or model != self._model:
                self._model = model
                self._class_ids = _class_ids(model.classes, self._class_names)
                self._encoder = self._new_encoder(model)
            return None if self._foreign() else self._encoder

    @property
    def is_foreign(self) -> bool:
        """The server that was last considered knows none of the classes."""
        with self._lock:
            return self._foreign()

    def _foreign(self) -> bool:
        return self._model is not None and not (self._class_ids >= 0).any()

    def _new_encoder(self, model: _RemoteModel) -> FrameEncoder:
        """Frames that are all sent want the pixels as they are, if the link carries them; a live
        source finds that out first.
        """
        size, max_bytes = model.input_size, model.limits.frame_bytes
        if self._sparing:
            best, worst = SPARING
            return FrameEncoder(size, max_bytes, best=best, worst=worst, start=best)
        if self._same_model():
            # From a lossy image the same model sees less than it sees here.
            return FrameEncoder(size, max_bytes, best=EXACT, worst=EXACT, start=EXACT)
        start = BEST_JPEG if self._live else EXACT
        return FrameEncoder(size, max_bytes, best=EXACT, start=start)

    def expected_s(self) -> float:
        """Expected time to the result of the next frame, 95th percentile; 0 if not known now."""
        encoder = self.encoder()
        if encoder is None or not self.client.state().measured:
            return 0.0
        return self.client.expected_s(encoder.expected_bytes())

    def measuring(self) -> bool:
        """Whether the frame that measures the link has no answer, and no caller waits for it."""
        link = self.client.state()
        return not link.measured and link.unanswered > 0 and not self._measuring.locked()

    def smallest(self) -> bool:
        """Whether the next frame cannot be encoded in fewer bytes."""
        encoder = self.encoder()
        return encoder is not None and encoder.smallest

    def throughput_s(self) -> float:
        """Seconds per frame when many are sent; 0 where that is not known yet."""
        link, encoder = self.client.state(), self.encoder()
        if encoder is None or not link.bandwidth:
            return 0.0
        # A link carries frames one after the other; they wait for answers side by side.
        transfer_s = encoder.expected_bytes() / link.bandwidth
        return max(transfer_s, (link.rtt_s + link.server_s) / max(1, link.in_flight))

    def detect(self, image: Image, until: float) -> Detections | None:
        """The server's detections, or None without a result before `until`, monotonic seconds.

        Only once `encoder` has given one. While the link is not measured, one frame at a time
        measures it; the others wait for that frame.
        """
        if self.client.state().measured:
            return self._send(image, until)
        if not self._measuring.acquire(timeout=max(0.0, until - time.monotonic())):
            return None
        try:
            link = self.client.state()
            if not link.measured:
                until = min(until, time.monotonic() + PROBE_S)
                return None if link.unanswered else self._send(image, until, probe=True)
        finally:
            self._measuring.release()
        return self._send(image, until)

    def _send(self, image: Image, until: float, *, probe: bool = False) -> Detections | None:
        encoder, link = self.encoder(), self.client.state()
        if encoder is None:  # the server has come back with another model
            return None
        with self._encoding:
            left_s = until - time.monotonic() - link.busy_s - link.rtt_s - link.server_s
            encoder.adapt(link.bandwidth, left_s * TRANSFER_SHARE)
            encoded = encoder.encode(image)
        left_s = max(until - time.monotonic(), PROBE_S if probe else 0.001)
        pending = self.client.submit(encoded, time.monotonic_ns() // 1000, left_s)
        return None if pending is None else self._await(pending, image, until, probe)

    def _await(
        self, pending: PendingReply, image: Image, until: float, probe: bool
    ) -> Detections | None:
        height, width = image.shape[:2]
        encoded = pending.frame.image
        scale = (width / encoded.width, height / encoded.height)
        with self._lock:
            self._scales[pending.frame.sequence] = scale
            while len(self._scales) > 2 * MAX_CREDITS:  # results that never came
                self._scales.pop(next(iter(self._scales)))
        try:
            reply = pending.reply.result(max(0.0, until - time.monotonic()))
        except FutureTimeout:
            reply = None
        if not isinstance(reply, Result):
            # A frame that measures the link does so while nobody waits for it.
            (self.client.stop_waiting if probe else self.client.abandon)(pending)
            return None
        with self._lock:
            self._scales.pop(pending.frame.sequence, None)
        return self._detections(reply, scale)

    def late_result(self, frame: PendingFrame, result: Result) -> None:
        """Note a result that came after its frame was counted: its classes are still right."""
        with self._lock:
            scale = self._scales.pop(frame.sequence, None)
        if scale is not None:
            late = Detections.empty() if self._same_model() else self._detections(result, scale)
            self.late_results.note(late, time.monotonic())

    def _detections(self, result: Result, scale: tuple[float, float]) -> Detections:
        """A result in pixels of the camera's image, `scale` times the one sent, and in class ids
        of the device; objects of classes that the device does not know are omitted.
        """
        class_ids = self._class_ids
        rows = np.array(result.detections, np.float64).reshape(-1, 6)
        rows = rows[rows[:, 5] < len(class_ids)]
        class_id = class_ids[rows[:, 5].astype(np.int32)]
        known = class_id >= 0
        boxes = (rows[:, :4] * np.tile(scale, 2)).astype(np.float32)
        return Detections(boxes[known], rows[known, 4].astype(np.float32), class_id[known])

    def _same_model(self) -> bool:
        """Whether the server runs the device's own model, which knows nothing better."""
        welcome = self.client.welcome
        return bool(welcome and self._digest and self._digest == welcome.digest)


def _class_ids(theirs: Sequence[str], ours: Sequence[str]) -> IntArray:
    """For each class of the server's model the device's id of that name, -1 without one."""
    known = {name: i for i, name in enumerate(ours)}
    return np.array([known.get(name, -1) for name in theirs], np.int32)
