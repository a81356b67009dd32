"""One websocket from its first message to its close code."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from starlette.websockets import WebSocket, WebSocketDisconnect

from ...edge_runtime.errors import ProtocolError
from ..wire.constants import FIRST_MESSAGE_SECONDS, CloseCode
from ..wire.messages import Bye, Hello, ServerMessage, Welcome, decode_client
from ..wire.server_session import State
from .auth import Caller
from .frame_handler import FrameHandler
from .job import JobResult
from .keys import hash_of
from .outbox import SEND_SECONDS, CloseError, Outbox
from .service import Service
from .sessions import Session

log = logging.getLogger("tallylens.server")


class Connection:
    """The websocket of an authenticated caller."""

    def __init__(self, service: Service, socket: WebSocket, caller: Caller) -> None:
        self._service, self._socket, self._caller = service, socket, caller
        self._session: Session | None = None
        self._outbox = Outbox(socket, service.metrics, self._save_session, self._log_fields)

    @property
    def caller(self) -> Caller:
        """The authenticated client."""
        return self._caller

    def send(self, message: ServerMessage) -> None:
        """Queue a message; a client that does not read is closed."""
        self._outbox.send(message)

    def close(self, code: CloseCode, reason: str) -> None:
        """Close once everything queued is sent."""
        self._outbox.close(code, reason)

    async def run(self) -> None:
        """Read and write until either end closes."""
        reader, writer = asyncio.create_task(self._read()), self._outbox.start()
        done, _ = await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
        if reader in done and not writer.done():
            await self._close_after(reader.exception(), writer)
        for task in (reader, writer):
            task.cancel()
        await asyncio.gather(reader, writer, return_exceptions=True)
        if self._session is not None and self._session.disconnect(self):
            # Nobody waits for them, and who comes back sends them again.
            self._service.queue.cancel(self._session.id, JobResult("left"))

    async def _close_after(self, error: BaseException | None, writer: asyncio.Task[None]) -> None:
        """Close with the code of what ended the reader, unless the client is gone."""
        if isinstance(error, ProtocolError):
            self.close(CloseCode.PROTOCOL_ERROR, error.problem)
        elif isinstance(error, CloseError):
            self.close(error.code, error.reason)
        elif isinstance(error, Exception) and not isinstance(error, WebSocketDisconnect):
            self._service.metrics.fault("reading", error)
            self.close(CloseCode.SERVER_FAULT, "an internal error of the server")
        else:
            return
        await asyncio.wait({writer}, timeout=SEND_SECONDS)

    async def _read(self) -> None:
        session = await self._begin()
        frames = FrameHandler(self._service, session, self)
        while True:
            message = await self._receive()
            if isinstance(message, bytes):
                await frames.frame_received(message)
                # Repeated frames are answered from memory: no faster than the answers are read.
                await self._outbox.half_empty()
            elif isinstance(decode_client(message), Bye):
                await self._end(session)
            else:
                raise ProtocolError("a second hello")

    async def _receive(self) -> bytes | str:
        event = await self._socket.receive()
        if event["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(event.get("code") or 1005)
        content: bytes | None = event.get("bytes")
        return str(event["text"]) if content is None else content

    async def _begin(self) -> Session:
        """Open or resume the session that the client's first message asks for."""
        hello = await self._hello()
        if not self._service.ready:
            raise CloseError(CloseCode.RESTART, "restarting")
        await self._claim(hello)
        sessions = self._service.sessions
        session, token = sessions.resume(hello, self.caller), hello.resume
        resumed = session is not None
        if session is None:
            session, token = sessions.open(hello, self.caller)
        answers = session.connect(self)
        self._session = session
        log.info("session", extra={"resumed": resumed, **self._log_fields()})
        self.send(self._welcome(session, token, resumed))
        for answer in answers:
            self.send(answer)
        return session

    async def _hello(self) -> Hello:
        try:
            first = await asyncio.wait_for(self._receive(), FIRST_MESSAGE_SECONDS)
        except TimeoutError:
            raise CloseError(CloseCode.FIRST_MESSAGE_TIMEOUT, "no hello received") from None
        hello = decode_client(first) if isinstance(first, str) else None
        if not isinstance(hello, Hello):
            raise ProtocolError("the first message is not a hello")
        if not self.caller.may(hello.mode):
            raise CloseError(CloseCode.FORBIDDEN, f"the key has no scope {hello.mode}")
        # From here on nothing else is done: what else the key loses ends no connection.
        self._caller = replace(self._caller, scopes=frozenset({hello.mode}))
        return hello

    async def _claim(self, hello: Hello) -> None:
        """Take over a session whose newest state another process has saved."""
        store = self._service.store
        if store is None or not hello.session:
            return
        saved = await store.claim(hello.session, hash_of(hello.resume))
        if saved is not None:
            self._service.sessions.restore(saved)

    async def _save_session(self) -> bool:
        """Save the session before the client hears of its state; False where another process has
        claimed it.
        """
        store, session = self._service.store, self._session
        if store is None or session is None or session.protocol.state is State.ENDED:
            return True
        return await store.save(session.save())

    def _welcome(self, session: Session, token: str, resumed: bool) -> Welcome:
        model = self._service.model
        return Welcome(
            session=session.id,
            resume=token,
            resumed=resumed,
            ack=session.protocol.arrived,
            credits=session.protocol.credits,
            limits=self._service.limits(self.caller.key.plan),
            model=model.name,
            input_size=model.metadata.input_size,
            classes=model.metadata.class_names,
            strides=model.metadata.strides,
            digest=model.digest,
        )

    def _log_fields(self) -> dict[str, str]:
        session = self._session.id if self._session else ""
        return {"key": self.caller.key.name, "session": session}

    async def _end(self, session: Session) -> None:
        """Answer every open frame, send the summary, and end the session."""
        while session.protocol.pending:
            await asyncio.sleep(0.005)
        summary = session.protocol.summary()
        if session.count is not None:
            summary = replace(summary, counts=session.count.report())
        self.send(summary)
        self._service.sessions.end(session)
        raise CloseError(CloseCode.NORMAL, "goodbye")
