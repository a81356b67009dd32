"""The service behind all connections: its model, sessions, callers and limits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ...edge_runtime.errors import InputError
from ..wire.constants import CloseCode
from ..wire.frames import FrameHeader
from ..wire.messages import Drain, Limits
from .auth import Auth
from .batcher import Batcher, Queue
from .fair_queue import QueueLimits
from .job import JobResult
from .keys import Plan
from .metrics import Metrics
from .models import ServedModel
from .quota import Quota
from .sessions import SessionPeer, Sessions, SessionStore

log = logging.getLogger("tallylens.server")
WATCH_SECONDS = 2.0


@dataclass(frozen=True)
class Settings:
    """Limits of one client and of one frame.

    Args:
        credits: maximum number of frames of a session without an answer.
        frame_bytes, pixels, side: maximum size of a frame; `side` is of its width and height.
        deadline_s: maximum deadline of a frame; a longer one is taken for this.
        queue: maximum of what waits.
        drain_s: how long a shutdown waits for answers.
    """

    credits: int = 8
    frame_bytes: int = 1 << 20
    pixels: int = 1 << 23
    side: int = 1 << 14
    deadline_s: float = 30.0
    queue: QueueLimits = field(default_factory=QueueLimits)
    drain_s: float = 10.0

    def allow(self, header: FrameHeader) -> bool:
        """Whether an image of this width and height may be sent."""
        width, height = header.width, header.height
        return max(width, height) <= self.side and width * height <= self.pixels


class Service:
    """One model behind many connections.

    Args:
        model: what is served.
        auth: keys, tokens and tickets.
        settings: limits.
        queue: makes what takes frames to detectors elsewhere; by default those of `model` run here.
        store: where other processes find the sessions of this one.

    Attributes:
        ready: whether connections are taken.
        leaving: whether a load balancer should send new clients elsewhere; they are still taken.
        missing: names of what it cannot work without and is not there, such as a database.
        watchers: called every two seconds, such as to read a file that may have changed.
        metrics_of_all: the metrics of all processes of a cluster, where there are several.
    """

    def __init__(
        self,
        model: ServedModel,
        auth: Auth,
        settings: Settings | None = None,
        *,
        queue: Callable[[Metrics], Queue] | None = None,
        store: SessionStore | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.store = store
        self.model = model
        self.auth = auth
        self.quota = Quota()
        self.metrics = Metrics()
        self.sessions = Sessions(self.settings.credits, model.metadata.class_names)
        self.queue: Queue = (
            Batcher(model.detectors, self.metrics, self.settings.queue)
            if queue is None
            else queue(self.metrics)
        )
        self.connections: set[SessionPeer] = set()
        self.ready = False
        self.leaving = False
        self.missing: set[str] = set()
        self.watchers: list[Callable[[], None]] = []
        self.metrics_of_all: Callable[[], Awaitable[bytes]] | None = None
        self.metrics.watch_keys(lambda: self.auth.keys.problem is not None)
        self.metrics.watch_queue(lambda: self.queue.queued)

    def limits(self, plan: Plan) -> Limits:
        """The limits of a client with this plan."""
        return Limits(
            self.settings.frame_bytes,
            self.settings.pixels,
            plan.frames_per_second,
            plan.frames_per_day,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve until the end of the block."""
        self.queue.start()
        watch = asyncio.create_task(self._watch())
        self.ready = True
        log.info("ready", extra={"model": self.model.name, "engine": self.model.engine})
        try:
            yield
        finally:
            self.ready = False
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            await self.queue.stop()

    async def leave(self, delay_s: float) -> None:
        """Not ready for load balancers, while new clients are still taken for `delay_s`."""
        self.leaving = True
        await asyncio.sleep(delay_s)

    async def drain(self) -> None:
        """Before a planned end: announce it, answer what was sent, close with 1012."""
        self.ready = False
        for session in self.sessions:
            # Not to a connection without a session: its first message would be no welcome.
            if session.peer is not None:
                session.peer.send(Drain(self.settings.drain_s))
        deadline = asyncio.get_running_loop().time() + self.settings.drain_s
        while any(session.protocol.pending for session in self.sessions):
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.02)
        for connection in list(self.connections):
            connection.close(CloseCode.RESTART, "restarting")

    async def _watch(self) -> None:
        """Look for revoked and expired keys, and for sessions that waited too long."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                self.refresh_keys()
                for look in self.watchers:
                    look()
                self.sweep()
            except Exception:
                self.metrics.fault("sweeping")

    def refresh_keys(self) -> None:
        """Read the keys if their file has changed; an error is logged once per change."""
        try:
            if self.auth.keys.refresh():
                log.info("keys read", extra={"keys": len(self.auth.keys.keys)})
        except InputError as error:
            log.error("the old keys stay valid", extra={"problem": str(error)})

    def sweep(self) -> None:
        """Close connections whose key is no longer valid, and end expired sessions."""
        for connection in list(self.connections):
            if not self.auth.still_valid(connection.caller):
                self.metrics.refused("revoked")
                connection.close(CloseCode.UNAUTHORIZED, "the key or token has ended")
        for session in self.sessions.expired():
            self.queue.cancel(session.id, JobResult("late"))
            self.sessions.end(session)
        self.metrics.sessions.set(len(self.sessions))
