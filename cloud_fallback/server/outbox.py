"""The sending half of a websocket: what it takes is sent at once, the rest waits in bounds."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect

from ..wire.answer_text import answer_text
from ..wire.constants import CloseCode
from ..wire.messages import ServerMessage
from .metrics import Metrics
from .sessions import RESUMED_ELSEWHERE

log = logging.getLogger("tallylens.server")
SEND_SECONDS = 20.0
# A detector never waits for a slow reader; a client has few unanswered frames, so few answers wait.
_CAPACITY = 512


class CloseError(Exception):
    """The connection is to be closed with this code."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(reason)


class DirectSocket(Protocol):
    """A websocket that takes and gives messages without a task or a queue in between."""

    def write_text(self, text: bytes) -> bool:
        """Write one text message; False where it must wait."""

    def deliver_to(self, take: Callable[[bytes], None] | None) -> None:
        """Give binary messages to `take` as they come, which must not raise; None ends that."""

    def hold(self) -> None:
        """Read nothing more from the client, until `release`."""

    def release(self) -> None:
        """Read again."""


class Outbox:
    """Messages on their way to one client.

    Args:
        socket: where they go.
        direct: the same socket, where nothing needs to wait.
        metrics: counts clients that do not read.
        may_send: asked before each message; False where another process has the session. None
            where no other process exists.
        log_fields: says which key and session it is.
    """

    def __init__(
        self,
        socket: WebSocket,
        direct: DirectSocket | None,
        metrics: Metrics,
        may_send: Callable[[], Awaitable[bool]] | None,
        log_fields: Callable[[], dict[str, str]],
    ) -> None:
        self._socket, self._metrics = socket, metrics
        self._direct = direct if may_send is None else None
        self._may_send, self._log_fields = may_send, log_fields
        self._waiting: deque[ServerMessage | CloseError] = deque()
        self._sending: asyncio.Task[None] | None = None
        # Ended: closed, or the client is gone or does not read.
        self.ended = asyncio.get_running_loop().create_future()

    def send(self, message: ServerMessage) -> None:
        """Send a message after those that wait; a client that does not read is closed."""
        if self._sending is None and self._write(message):
            return
        if len(self._waiting) >= _CAPACITY:
            self.close(CloseCode.NOT_READING, "answers are not read")
        else:
            self._put(message)

    def _write(self, message: ServerMessage) -> bool:
        return self._direct is not None and self._direct.write_text(answer_text(message).encode())

    def close(self, code: CloseCode, reason: str) -> None:
        """Close once everything that waits is sent, or sooner where that is too much."""
        while len(self._waiting) >= _CAPACITY:
            self._waiting.popleft()
        # RFC 6455 has 123 bytes for it.
        short = reason.encode(errors="replace")[:120].decode(errors="ignore")
        self._put(CloseError(code, short))

    def _put(self, message: ServerMessage | CloseError) -> None:
        if self.ended.done():
            return
        self._waiting.append(message)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all())

    @property
    def crowded(self) -> bool:
        """Whether the client should be sent no more reasons to answer."""
        return len(self._waiting) > _CAPACITY // 2

    async def half_empty(self) -> None:
        """Wait until the client has read enough."""
        while self.crowded and not self.ended.done():
            await asyncio.sleep(0.01)

    def stop(self) -> None:
        """The connection has ended."""
        if self._sending is not None:
            self._sending.cancel()
        self._end()

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
        self._waiting.clear()

    async def _send_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            message = self._waiting.popleft()
            # Cheaper than the task per message that asyncio.wait_for would make.
            timeout = loop.call_later(SEND_SECONDS, self._time_out)
            try:
                await self._send(message)
            except (WebSocketDisconnect, RuntimeError):
                self._end()
            finally:
                timeout.cancel()
            if isinstance(message, CloseError):
                self._end()
        self._sending = None

    def _time_out(self) -> None:
        self._metrics.refused("not_reading")
        self.stop()

    async def _send(self, message: ServerMessage | CloseError) -> None:
        if isinstance(message, CloseError):
            log.info("closed", extra={"code": int(message.code), **self._log_fields()})
            await self._socket.close(message.code, message.reason)
        elif self._may_send is None or await self._may_send():
            await self._socket.send_text(answer_text(message))
        else:
            await self._socket.close(CloseCode.DUPLICATE_SESSION, RESUMED_ELSEWHERE)
            raise WebSocketDisconnect(CloseCode.DUPLICATE_SESSION)
