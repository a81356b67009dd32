"""The sending half of a websocket: a bounded queue and one task, so that nobody waits to send."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from starlette.websockets import WebSocket, WebSocketDisconnect

from ..wire.constants import CloseCode
from ..wire.messages import ServerMessage, encode
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


class Outbox:
    """Messages on their way to one client.

    Args:
        socket: where they go.
        metrics: counts clients that do not read.
        may_send: asked before each message; False where another process has the session.
        log_fields: says which key and session it is.
    """

    def __init__(
        self,
        socket: WebSocket,
        metrics: Metrics,
        may_send: Callable[[], Awaitable[bool]],
        log_fields: Callable[[], dict[str, str]],
    ) -> None:
        self._socket, self._metrics = socket, metrics
        self._may_send, self._log_fields = may_send, log_fields
        self._queue: asyncio.Queue[ServerMessage | CloseError] = asyncio.Queue(_CAPACITY)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> asyncio.Task[None]:
        """Start to send; the task ends with the connection."""
        self._task = asyncio.create_task(self._run())
        return self._task

    def send(self, message: ServerMessage) -> None:
        """Queue a message; a client that does not read is closed."""
        if self._queue.full():
            self.close(CloseCode.NOT_READING, "answers are not read")
        else:
            self._queue.put_nowait(message)

    def close(self, code: CloseCode, reason: str) -> None:
        """Close once everything queued is sent, or at once where the queue is full."""
        while self._queue.full():
            self._queue.get_nowait()
        # RFC 6455 has 123 bytes for it.
        short = reason.encode(errors="replace")[:120].decode(errors="ignore")
        self._queue.put_nowait(CloseError(code, short))

    async def half_empty(self) -> None:
        """Wait until the client has read enough."""
        while self._queue.qsize() > _CAPACITY // 2:
            await asyncio.sleep(0.01)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            message = await self._queue.get()
            # Cheaper than the task per message that asyncio.wait_for would make.
            timeout = loop.call_later(SEND_SECONDS, self._time_out)
            try:
                await self._send(message)
            except (WebSocketDisconnect, RuntimeError):
                return
            finally:
                timeout.cancel()
            if isinstance(message, CloseError):
                return

    def _time_out(self) -> None:
        self._metrics.refused("not_reading")
        if self._task is not None:
            self._task.cancel()

    async def _send(self, message: ServerMessage | CloseError) -> None:
        if isinstance(message, CloseError):
            log.info("closed", extra={"code": int(message.code), **self._log_fields()})
            await self._socket.close(message.code, message.reason)
        elif await self._may_send():
            await self._socket.send_text(encode(message))
        else:
            await self._socket.close(CloseCode.DUPLICATE_SESSION, RESUMED_ELSEWHERE)
            raise WebSocketDisconnect(CloseCode.DUPLICATE_SESSION)
