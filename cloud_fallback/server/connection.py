"""One websocket from its first message to its close code."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from starlette.websockets import WebSocket, WebSocketDisconnect

from ...edge_runtime.errors import ProtocolError
from ..wire.constants import FIRST_MESSAGE_SECONDS, CloseCode
from ..wire.messages import Bye, Hello, ServerMessage, Welcome, decode_client
from ..wire.server_session import State
from .auth import Caller
from .frame_handler import FrameHandler
from .http_protocols import DIRECT
from .job import JobResult
from .keys import hash_of
from .outbox import SEND_SECONDS, CloseError, DirectSocket, Outbox
from .service import Service
from .sessions import Session

log = logging.getLogger("tallylens.server")
# A client that has sent too much is read again after this at the latest, so that its end is seen.
MAX_HOLD_S = 10.0


class Connection:
    """The websocket of an authenticated caller."""

    def __init__(self, service: Service, socket: WebSocket, caller: Caller) -> None:
        self._service, self._socket, self._caller = service, socket, caller
        self._session: Session | None = None
        self._direct: DirectSocket | None = socket.scope.get("extensions", {}).get(DIRECT)
        self._frames: FrameHandler | None = None
        self._pause: asyncio.Task[None] | None = None
        self._outbox = Outbox(
            socket,
            self._direct,
            service.metrics,
            None if service.store is None else self._save_session,
            self._log_fields,
        )

    @property
    def caller(self) -> Caller:
        """The authenticated client."""
        return self._caller

    def send(self, message: ServerMessage) -> None:
        """Send or queue a message; a client that does not read is closed."""
        self._outbox.send(message)

    def close(self, code: CloseCode, reason: str) -> None:
        """Close once everything queued is sent."""
        self._outbox.close(code, reason)

    async def run(self) -> None:
        """Read and write until either end closes."""
        reader = asyncio.create_task(self._read())
        try:
            await asyncio.wait({reader, self._outbox.ended}, return_when=asyncio.FIRST_COMPLETED)
            if reader.done() and self._close_after(reader.exception()):
                await asyncio.wait({self._outbox.ended}, timeout=SEND_SECONDS)
        finally:
            self._deliver_to(None)
            reader.cancel()
            self._outbox.stop()
            if self._pause is not None:
                self._pause.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            if self._session is not None and self._session.disconnect(self):
                # Nobody waits for them, and who comes back sends them again.
                self._service.queue.cancel(self._session.id, JobResult("left"))

    def _close_after(self, error: BaseException | None) -> bool:
        """Close with the code of what ended the reading; False where the client is gone."""
        if isinstance(error, ProtocolError):
            self.close(CloseCode.PROTOCOL_ERROR, error.problem)
        elif isinstance(error, CloseError):
            self.close(error.code, error.reason)
        elif isinstance(error, Exception) and not isinstance(error, WebSocketDisconnect):
            self._service.metrics.fault("reading", error)
            self.close(CloseCode.SERVER_FAULT, "an internal error of the server")
        else:
            return False
        return True

    async def _read(self) -> None:
        session = await self._begin()
        self._frames = FrameHandler(self._service, session, self)
        self._deliver_to(self._take)
        while True:
            message = await self._receive()
            if isinstance(message, bytes):
                wait_s = self._frames.frame_received(message)
                # Repeated frames are answered from memory: no faster than the answers are read.
                if wait_s or self._outbox.crowded:
                    await self._wait(wait_s)
            elif isinstance(decode_client(message), Bye):
                self._deliver_to(None)
                await self._end(session)
            else:
                raise ProtocolError("a second hello")

    def _deliver_to(self, take: Callable[[bytes], None] | None) -> None:
        if self._direct is not None:
            self._direct.deliver_to(take)

    def _take(self, message: bytes) -> None:
        """A binary message, as it comes; does what the reader does with one."""
        assert self._frames is not None
        assert self._direct is not None
        try:
            wait_s = self._frames.frame_received(message)
        except Exception as error:
            self._deliver_to(None)
            self._close_after(error)
            return
        if (wait_s or self._outbox.crowded) and (self._pause is None or self._pause.done()):
            self._direct.hold()
            self._pause = asyncio.create_task(self._hold(self._direct, wait_s))

    async def _hold(self, direct: DirectSocket, seconds: float) -> None:
        await self._wait(seconds)
        direct.release()

    async def _wait(self, seconds: float) -> None:
        """Until the key may send again, and the client has read its answers."""
        await asyncio.sleep(min(seconds, MAX_HOLD_S))
        await self._outbox.half_empty()

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
