"""One websocket from its first message to its close code."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from starlette.websockets import WebSocket, WebSocketDisconnect

from ...edge_runtime.errors import ProtocolError
from ...edge_runtime.types import Detections
from ..wire.frames import FIRST_MESSAGE_SECONDS, CloseCode, FrameHeader, decode_client
from ..wire.messages import Bye, Control, Hello, Reason, Result, Welcome, encode
from ..wire.server_session import Answer, Arrival
from .auth import Caller
from .batcher import Job, JobResult
from .image_decoding import decode_picture
from .keys import hash_of
from .sessions import ELSEWHERE, Session

if TYPE_CHECKING:
    from .service import Service

log = logging.getLogger("tallylens.server")
SEND_SECONDS = 20.0
# A lane never waits for a slow reader; a client has few unanswered frames, so few answers wait.
_QUEUE = 512
# Frames over quota one after the other before a client that does not listen is closed.
MAX_IGNORED_REJECTS = 1000


class _CloseError(Exception):
    """Close the socket with this code."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(reason)


class Connection:
    """A socket of an authenticated caller."""

    def __init__(self, service: Service, socket: WebSocket, caller: Caller) -> None:
        self.caller = caller
        self._service = service
        self._socket = socket
        self._out: asyncio.Queue[Control | _CloseError] = asyncio.Queue(_QUEUE)
        self._session: Session | None = None
        self._writer: asyncio.Task[None] | None = None
        self._deaf = 0

    async def run(self) -> None:
        """Speak until either end closes."""
        reader = asyncio.create_task(self._read())
        writer = self._writer = asyncio.create_task(self._write())
        done, _ = await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
        if reader in done and not writer.done():
            await self._finish(reader, writer)
        for task in (reader, writer):
            task.cancel()
        await asyncio.gather(reader, writer, return_exceptions=True)
        session = self._session
        if session is not None and session.outlet is self:
            self._service.sessions.leave(session)

    async def _finish(self, reader: asyncio.Task[None], writer: asyncio.Task[None]) -> None:
        """Say why it ends, if there is somebody to hear it."""
        error = reader.exception()
        if isinstance(error, ProtocolError):
            self.close(CloseCode.PROTOCOL_ERROR, error.problem)
        elif isinstance(error, _CloseError):
            self.close(error.code, error.reason)
        elif isinstance(error, Exception) and not isinstance(error, WebSocketDisconnect):
            self._service.metrics.fault("reading")
            self.close(CloseCode.SERVER_FAULT, "a fault of the server")
        else:
            return
        await asyncio.wait({writer}, timeout=SEND_SECONDS)

    def send(self, answer: Answer) -> None:
        """Queue an answer; a client that does not read is not waited for."""
        self.announce(answer)

    def announce(self, message: Control) -> None:
        """Queue any message."""
        if self._out.full():
            self.close(CloseCode.NOT_READING, "answers are not read")
        else:
            self._out.put_nowait(message)

    def close(self, code: int, reason: str) -> None:
        """Close once everything queued is sent, or at once where nothing more fits."""
        while self._out.full():
            self._out.get_nowait()
        self._out.put_nowait(_CloseError(CloseCode(code), reason[:100]))

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            message = await self._out.get()
            # Cheaper than a task a message, which is what asyncio.wait_for would make.
            patience = loop.call_later(SEND_SECONDS, self._lose_patience)
            try:
                await self._say(message)
            except (WebSocketDisconnect, RuntimeError):
                return
            finally:
                patience.cancel()
            if isinstance(message, _CloseError):
                return

    def _lose_patience(self) -> None:
        """The client has not read for long."""
        self._service.metrics.refused("not_reading")
        if self._writer is not None:
            self._writer.cancel()

    async def _say(self, message: Control | _CloseError) -> None:
        if isinstance(message, _CloseError):
            log.info("closed", extra={"code": int(message.code), **self._who()})
            await self._socket.close(message.code, message.reason)
        else:
            if not await self._keep():
                await self._socket.close(CloseCode.DUPLICATE_SESSION, ELSEWHERE)
                raise WebSocketDisconnect(CloseCode.DUPLICATE_SESSION)
            await self._socket.send_text(encode(message))

    async def _read(self) -> None:
        session = await self._begin()
        while True:
            message = await self._receive()
            if isinstance(message, bytes):
                await self._frame(session, message)
                # Repeated frames are answered from memory: no faster than the answers are read.
                while self._out.qsize() > _QUEUE // 2:
                    await asyncio.sleep(0.01)
            elif isinstance(decode_client(message), Bye):
                await self._goodbye(session)
            else:
                raise ProtocolError("a second hello")

    async def _receive(self) -> bytes | str:
        event = await self._socket.receive()
        if event["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(event.get("code") or 1005)
        content: bytes | None = event.get("bytes")
        return str(event["text"]) if content is None else content

    async def _begin(self) -> Session:
        try:
            first = await asyncio.wait_for(self._receive(), FIRST_MESSAGE_SECONDS)
        except TimeoutError:
            raise _CloseError(CloseCode.FIRST_MESSAGE_TIMEOUT, "no hello came") from None
        hello = decode_client(first) if isinstance(first, str) else None
        if not isinstance(hello, Hello):
            raise ProtocolError("the first message is no hello")
        if not self.caller.may(hello.mode):
            raise _CloseError(CloseCode.FORBIDDEN, f"the key may not {hello.mode}")
        sessions = self._service.sessions
        await self._fetch(hello)
        session, token = sessions.resume(hello, self.caller), hello.resume
        resumed = session is not None
        if session is None:
            session, token = sessions.open(hello, self.caller)
        if session.outlet is not None:
            session.outlet.close(CloseCode.DUPLICATE_SESSION, ELSEWHERE)
        session.outlet, self._session = self, session
        log.info("session", extra={"resumed": resumed, **self._who()})
        self.announce(self._welcome(session, token, resumed))
        for answer in session.stream.repeat():
            self.announce(answer)
        return session

    async def _fetch(self, hello: Hello) -> None:
        """Take over a session that another process knows better."""
        vault, sessions = self._service.vault, self._service.sessions
        if vault is None or not hello.session:
            return
        saved = await vault.take(hello.session, hash_of(hello.resume))
        if saved is not None:
            sessions.adopt(saved)

    async def _keep(self) -> bool:
        """Write down where the session stands, before anything of it is told; False where it has
        gone on in another process.
        """
        vault, session = self._service.vault, self._session
        if vault is None or session is None or session.ended:
            return True
        return await vault.keep(session.save())

    def _welcome(self, session: Session, token: str, resumed: bool) -> Welcome:
        lanes = self._service.lanes
        return Welcome(
            session=session.id,
            resume=token,
            resumed=resumed,
            ack=session.stream.arrived,
            credits=session.stream.credits,
            limits=self._service.limits(self.caller.key.plan),
            model=lanes.name,
            input_size=lanes.metadata.input_size,
            classes=lanes.metadata.class_names,
            strides=lanes.metadata.strides,
            digest=lanes.digest,
        )

    def _who(self) -> dict[str, str]:
        session = self._session.id if self._session else ""
        return {"key": self.caller.key.name, "session": session}

    async def _frame(self, session: Session, message: bytes) -> None:
        arrived = time.monotonic()
        arrival = session.stream.receive(message)
        if arrival is None:
            return
        if not isinstance(arrival, Arrival):
            self.send(arrival)
            return
        header = arrival.header
        settings, pixels = self._service.settings, header.width * header.height
        if len(arrival.picture) > settings.frame_bytes or pixels > settings.pixels:
            self._refuse(session, header, "too_big")
            return
        wait_ms = await self._service.quota.frame(self.caller.key)
        if wait_ms is not None:
            self._refuse(session, header, "over_quota", wait_ms)
            return
        job = Job(
            owner=session.id,
            expires=arrived + header.deadline_ms / 1000,
            decode=partial(decode_picture, header, bytes(arrival.picture), settings.pixels),
            finish=lambda done: self._answer(session, header, arrived, done),
            arrived=arrived,
        )
        if not self._service.batcher.submit(job):
            self._refuse(session, header, "busy", 1000)

    def _answer(
        self, session: Session, header: FrameHeader, arrived: float, done: JobResult
    ) -> None:
        if not isinstance(done.outcome, Detections):
            self._refuse(session, header, done.outcome)
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
        if session.count is not None:
            session.count.add(header, done.outcome)
        self._settle(session, session.stream.answer(result), "answered")

    def _refuse(
        self, session: Session, header: FrameHeader, reason: Reason, retry_after_ms: int = 0
    ) -> None:
        answer = session.stream.reject(header.sequence, reason, retry_after_ms)
        self._settle(session, answer, reason)
        self._deaf = self._deaf + 1 if reason == "over_quota" else 0
        if self._deaf >= MAX_IGNORED_REJECTS:
            self._service.metrics.refused("too_many_requests")
            self.close(CloseCode.TOO_MANY_REQUESTS, "frames come faster than the key may send")

    def _settle(self, session: Session, answer: Answer, outcome: str) -> None:
        if session.count is not None:
            session.count.settle(session.stream.ack)
        self._service.metrics.frame(outcome)
        request = f"{session.id}/{answer.sequence}"
        log.debug("frame", extra={"request": request, "outcome": outcome})
        session.send(answer)

    async def _goodbye(self, session: Session) -> None:
        """Answer what is open, say what came of it, and forget the session."""
        while session.stream.pending:
            await asyncio.sleep(0.005)
        summary = session.stream.summary()
        if session.count is not None:
            summary = type(summary)(
                summary.frames, summary.answered, summary.rejected, session.count.report()
            )
        self.announce(summary)
        self._service.sessions.end(session)
        raise _CloseError(CloseCode.NORMAL, "goodbye")


def _rows(found: Detections) -> tuple[tuple[float, float, float, float, float, int], ...]:
    """As a message has them: nine digits name a float32, and no reader needs more."""
    values = np.column_stack((found.xyxy, found.confidence)).tolist()
    return tuple(
        (*(float(f"{value:.9g}") for value in row), kind)
        for row, kind in zip(values, found.class_id.tolist(), strict=True)
    )
