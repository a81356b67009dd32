"""Submitted frames and the replies that their callers wait for."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass

from ..wire.client_session import PendingFrame
from ..wire.messages import Reject, Result

# Abandoned frames whose late answers are still recognized.
MAX_ABANDONED = 64

Reply = Result | Reject | None
"""The outcome of a frame; None where its time was over before an answer came."""


@dataclass(frozen=True)
class PendingReply:
    """A submitted frame, and its reply once there is one."""

    frame: PendingFrame
    reply: Future[Reply]


class PendingReplies:
    """The replies of one client by sequence number; not thread-safe by itself."""

    def __init__(self) -> None:
        self._replies: dict[int, Future[Reply]] = {}
        self._abandoned: dict[int, PendingFrame] = {}

    def add(self, frame: PendingFrame) -> PendingReply:
        """The reply to wait for of a new frame."""
        reply: Future[Reply] = Future()
        self._replies[frame.sequence] = reply
        return PendingReply(frame, reply)

    def complete(self, message: Result | Reject) -> PendingFrame | None:
        """Give a reply to its caller; the frame, if it was abandoned before."""
        reply = self._replies.pop(message.sequence, None)
        if reply is not None:
            reply.set_result(message)
        return self._abandoned.pop(message.sequence, None)

    def abandon(self, frame: PendingFrame) -> None:
        """End the wait for a frame without a reply; one that still comes is late."""
        reply = self._replies.pop(frame.sequence, None)
        if reply is not None:
            reply.set_result(None)
        self._abandoned[frame.sequence] = frame
        while len(self._abandoned) > MAX_ABANDONED:
            self._abandoned.pop(next(iter(self._abandoned)))

    def abandon_all(self) -> None:
        """End every wait: there will be no more replies."""
        for reply in self._replies.values():
            reply.set_result(None)
        self._replies.clear()
