"""The frames of one connection: limits, quota, the queue, and the answer to each."""

from __future__ import annotations

import logging
import time
from functools import partial

import numpy as np

from ...edge_runtime.types import Detections
from ..wire.constants import CloseCode
from ..wire.frames import FrameHeader
from ..wire.json_fields import MAX_NUMBER
from ..wire.messages import MAX_DETECTIONS, DetectionRow, Reason, Result
from ..wire.server_session import Answer, Arrival
from .image_decoding import decode_image
from .job import Job, JobResult
from .service import Service
from .sessions import Session, SessionPeer

log = logging.getLogger("tallylens.server")
# Consecutive frames over quota before a client that ignores the refusals is closed.
MAX_IGNORED_REJECTS = 1000
# When a client may try again after its frame found the queue full.
BUSY_MS = 1000


class FrameHandler:
    """Takes the frames of `peer` to the model, and answers them in `session`."""

    def __init__(self, service: Service, session: Session, peer: SessionPeer) -> None:
        self._service, self._session, self._peer = service, session, peer
        self._ignored = 0

    async def frame_received(self, message: bytes) -> None:
        """Queue the frame of a binary message, or refuse it.

        Raises:
            ProtocolError: an invalid message.
        """
        arrived = time.monotonic()
        arrival = self._session.protocol.frame_received(message)
        if arrival is None:
            return
        if not isinstance(arrival, Arrival):
            self._peer.send(arrival)
            return
        header, settings = arrival.header, self._service.settings
        if len(arrival.image) > settings.frame_bytes or not settings.allow(header):
            self._refuse(header, "too_big")
            return
        try:
            wait_ms = await self._service.quota.frame(self._peer.caller.key)
        except BaseException:
            # Also where the connection is lost meanwhile: the session may be resumed.
            self._refuse(header, "failed")
            raise
        if wait_ms is not None:
            self._refuse(header, "over_quota", wait_ms)
            self._over_quota()
            return
        self._ignored = 0
        job = Job(
            owner=self._session.id,
            expires=arrived + min(header.deadline_ms / 1000, settings.deadline_s),
            decode=partial(decode_image, header, bytes(arrival.image), settings.pixels),
            finish=lambda done: self._finish(header, arrived, done),
            arrived=arrived,
            key=self._peer.caller.key.sha256,
            size=len(message),
            pixels=header.width * header.height,
        )
        self._service.queue.submit(job)

    def _finish(self, header: FrameHeader, arrived: float, done: JobResult) -> None:
        if done.outcome == "left":
            count = self._session.count
            self._session.protocol.lose(header.sequence, *([count.last_us] if count else []))
            return
        if not isinstance(done.outcome, Detections):
            self._refuse(header, done.outcome, BUSY_MS if done.outcome == "busy" else 0)
            return
        if not _can_be_sent(done.outcome):
            self._service.metrics.fault("answering", ValueError("numbers that are not finite"))
            self._refuse(header, "failed")
            return
        queue_ms = done.queue_s * 1000
        result = Result(
            sequence=header.sequence,
            ack=0,
            credits=0,
            detections=_rows(done.outcome),
            queue_ms=round(queue_ms, 2),
            work_ms=round((time.monotonic() - arrived) * 1000 - queue_ms, 2),
        )
        if self._session.count is not None:
            self._session.count.add(header, done.outcome)
        self._settle(self._session.protocol.answer(result), "answered")

    def _refuse(self, header: FrameHeader, reason: Reason, retry_after_ms: int = 0) -> None:
        answer = self._session.protocol.reject(header.sequence, reason, retry_after_ms)
        self._settle(answer, reason)

    def _over_quota(self) -> None:
        """Close a client that ignores refusals: many frames in a row were over its quota."""
        self._ignored += 1
        if self._ignored >= MAX_IGNORED_REJECTS:
            self._service.metrics.refused("too_many_requests")
            reason_text = "frames come faster than the key may send"
            self._peer.close(CloseCode.TOO_MANY_REQUESTS, reason_text)

    def _settle(self, answer: Answer, outcome: str) -> None:
        session = self._session
        if session.count is not None:
            try:
                session.count.settle(session.protocol.ack)
            except Exception:
                # The answer is given all the same: each frame gets one.
                self._service.metrics.fault("counting")
        self._service.metrics.frame(outcome)
        request = f"{session.id}/{answer.sequence}"
        log.debug("frame", extra={"request": request, "outcome": outcome})
        session.send(answer)


def _can_be_sent(found: Detections) -> bool:
    """Whether a message can hold the detections and a client accepts them."""
    values = np.column_stack((found.xyxy, found.confidence))
    return len(found) <= MAX_DETECTIONS and bool((np.abs(values) < MAX_NUMBER).all())


def _rows(found: Detections) -> tuple[DetectionRow, ...]:
    """Detections as a message has them: nine digits identify a float32, more would be noise."""
    values = np.column_stack((found.xyxy, found.confidence)).tolist()
    return tuple(
        (*(float(f"{value:.9g}") for value in row), kind)
        for row, kind in zip(values, found.class_id.tolist(), strict=True)
    )
