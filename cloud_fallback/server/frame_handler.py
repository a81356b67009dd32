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
from ..wire.messages import MAX_DETECTIONS, Reason, Result
from ..wire.server_session import Answer, Arrival
from .image_decoding import decode_message
from .job import Job, JobResult
from .quota import REFUSED_BYTES
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
        self._key = peer.caller.key
        self._ignored = 0

    def frame_received(self, message: bytes) -> float:
        """Queue the frame of a binary message, or refuse it.

        Returns:
            For how many seconds nothing more is to be read: the key has sent more bytes than its
            plan allows, counting what was refused.

        Raises:
            ProtocolError: an invalid message.
        """
        arrived = time.monotonic()
        wait_s = self._service.quota.received(self._key, len(message))
        arrival = self._session.protocol.frame_received(message)
        if isinstance(arrival, Arrival) and self._take(arrival, message, arrived, wait_s):
            return 0.0
        if arrival is not None and not isinstance(arrival, Arrival):
            self._peer.send(arrival)
        rest = max(0, REFUSED_BYTES - len(message))
        return self._service.quota.received(self._key, rest)

    def _take(self, arrival: Arrival, message: bytes, arrived: float, wait_s: float) -> bool:
        """Queue a new frame; False where it is refused."""
        header, settings = arrival.header, self._service.settings
        if len(arrival.image) > settings.frame_bytes or not settings.allow(header):
            self._refuse(header, "too_big")
            return False
        try:
            wait_ms = int(wait_s * 1000) or self._service.quota.frame(self._key)
        except BaseException:
            # Also where the connection is lost meanwhile: the session may be resumed.
            self._refuse(header, "failed")
            raise
        if wait_ms is not None:
            self._refuse(header, "over_quota", wait_ms)
            self._over_quota()
            return False
        self._ignored = 0
        job = Job(
            owner=self._session.id,
            expires=arrived + min(header.deadline_ms / 1000, settings.deadline_s),
            decode=partial(decode_message, header, message, settings.pixels),
            finish=partial(self._finish, header, arrived),
            arrived=arrived,
            key=self._key.sha256,
            size=len(message),
            pixels=header.width * header.height,
        )
        self._service.queue.submit(job)
        return True

    def _finish(self, header: FrameHeader, arrived: float, done: JobResult) -> None:
        found, session = done.outcome, self._session
        if not isinstance(found, Detections):
            if found == "left":
                session.protocol.lose(header.sequence, *_last_us(session))
            else:
                self._refuse(header, found, BUSY_MS if found == "busy" else 0)
            return
        if not _can_be_sent(found):
            self._service.metrics.fault("answering", ValueError("numbers that are not finite"))
            self._refuse(header, "failed")
            return
        queue_ms = done.queue_s * 1000
        result = Result(
            sequence=header.sequence,
            ack=0,
            credits=0,
            detections=tuple(
                (*box, confidence, kind)
                for box, confidence, kind in zip(
                    found.xyxy.tolist(),
                    found.confidence.tolist(),
                    found.class_id.tolist(),
                    strict=True,
                )
            ),
            queue_ms=round(queue_ms, 2),
            work_ms=round((time.monotonic() - arrived) * 1000 - queue_ms, 2),
        )
        if session.count is not None:
            session.count.add(header, found)
        self._settle(session.protocol.answer(result), "answered")

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
        if log.isEnabledFor(logging.DEBUG):
            request = f"{session.id}/{answer.sequence}"
            log.debug("frame", extra={"request": request, "outcome": outcome})
        session.send(answer)


def _last_us(session: Session) -> tuple[int, ...]:
    """Capture time of the last frame counted, if any are counted."""
    return () if session.count is None else (session.count.last_us,)


def _can_be_sent(found: Detections) -> bool:
    """Whether a message can hold the detections and a client accepts them."""
    if len(found) > MAX_DETECTIONS:
        return False
    # Not a number is not below anything.
    return all(
        bool(np.abs(values).max(initial=0.0) < MAX_NUMBER)
        for values in (found.xyxy, found.confidence)
    )
